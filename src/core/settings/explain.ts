import { BUILTIN_KIND } from '../../api/kinds.ts'
import { uidOf } from '../../api/object-meta.ts'
import { problemText } from '../path/problem.ts'
import { sameJson, type JsonObject } from '../../platform/json.ts'
import type { ConfigLookup } from '../world.ts'
import { assessService, type Assessment, type AssessmentWorld } from './assess.ts'
import { PRECEDENCE, settle, SOURCES, type SettingRule, type SettingSource } from './precedence.ts'
import { configTitle, type RuntimeConfig, type UsedConfig } from './runtime-config.ts'
import { displayName, renderedObject, type Service } from './service.ts'
import type { ServicePath } from './service-path.ts'
import { readExpression } from '../path/expression.ts'
import { encodeSegment, MAX_DNS_SEGMENT, type SegmentForm } from '../path/segment.ts'
import { newBudget } from '../path/selection.ts'
import type { TemplateCompilation } from '../path/template.ts'

/** Where a setting comes from; `unset` if no source gives it. */
type Origin = 'service' | 'namespace config' | 'cluster config' | 'default' | 'unset'

/** A place that can give a setting. */
interface Candidate {
  readonly from: Exclude<Origin, 'unset'>
  /** Field path there; empty for a default. */
  readonly field: string
  /** Undefined if the place does not give the setting. */
  readonly value: unknown
}

/** One setting of the resolved block. */
interface ExplainedSetting {
  /** Below `spec.resolvedRuntimeConfig`: `routing.pathTemplate`. */
  readonly setting: string
  readonly value: unknown
  /** Several for a list that was joined. */
  readonly from: readonly Origin[]
  /** Field path at its source; empty for a default. */
  readonly field: string
  /** The other candidates, in the order of precedence. */
  readonly passedOver: readonly Candidate[]
}

/** A configuration that the name of the service can mean. */
export interface ConfigCandidate {
  readonly kind: RuntimeConfig['kind']
  /** Empty for a cluster configuration. */
  readonly namespace: string
  readonly name: string
  readonly found: boolean
  /** At most one is used, whole. */
  readonly used: boolean
}

/** Why a service has its settings. */
export interface Explanation {
  readonly namespace: string
  readonly name: string
  /** Where the name of the configuration comes from. */
  readonly configNameFrom: 'service' | 'default'
  readonly lookedAt: readonly ConfigCandidate[]
  /** `AIMRuntimeConfig ml-team/default`; undefined if it is missing. */
  readonly config: string | undefined
  readonly hash: string | undefined
  /** Empty if the configuration is missing: then admission writes no settings. */
  readonly settings: readonly ExplainedSetting[]
  readonly path: ExplainedPath
  /** What admission filled in the service, as stored. */
  readonly filled: ReadonlyArray<Pick<ExplainedSetting, 'value' | 'from'> & { readonly field: string }>
  /** Whether the block equals what admission would write now; undefined without a block. */
  readonly current: boolean | undefined
}

export interface ExplainedPath {
  readonly kind: ServicePath['kind']
  /** Set for the kind `path` only. */
  readonly path: string | undefined
  readonly template: string
  readonly parts: readonly PathPart[]
  /** Why there is no path, one line each. */
  readonly problems: readonly string[]
}

/** Explains a service from the assessment that admission makes of it. Pure, runs in a browser. */
export function explainService (service: Service, world: AssessmentWorld): Explanation {
  const { configs } = world
  const isStored = service.block !== undefined || uidOf(service.object) !== '' // the API server sets uids
  const assessment = assessService(service, world, isStored ? service : undefined)
  const { config, path, routing, block } = assessment
  const settings = config === undefined ? [] : settingsOf(service, config)
  return {
    namespace: service.namespace,
    name: displayName(service),
    configNameFrom: service.givenConfigName === undefined ? 'default' : 'service',
    lookedAt: configCandidates(service, configs),
    config: config && configTitle(config),
    hash: config?.hash,
    settings,
    path: {
      kind: path.kind,
      path: path.kind === 'path' ? path.path : undefined,
      template: routing.template.source,
      parts: explainPath(routing.template, renderedObject(service), world.pathPolicy.pathSegments),
      problems: problemsOf(assessment)
    },
    filled: Object.entries(service.filled).map(([field, value]) => {
      const { from = [] } = settings.find(({ setting }) => `spec.${setting}` === field) ?? {}
      return { field, value, from }
    }),
    current: service.block === undefined ? undefined : sameJson(block, service.block)
  }
}

function configCandidates ({ namespace, configName: name }: Service, configs: ConfigLookup): ConfigCandidate[] {
  const own = configs.namespaced(namespace, name) !== undefined
  const shared = configs.cluster(name) !== undefined
  return [
    { kind: 'AIMRuntimeConfig', namespace, name, found: own, used: own },
    { kind: 'AIMClusterRuntimeConfig', namespace: '', name, found: shared, used: shared && !own }
  ]
}

function settingsOf (service: Service, config: UsedConfig): ExplainedSetting[] {
  const shared = config.scope === 'Namespace' ? 'namespace config' : 'cluster config'
  const origins = { service: 'service', config: shared, default: 'default' } as const
  return Object.entries(PRECEDENCE).map(([setting, rule]: [string, SettingRule<unknown>]) => {
    const field = `spec.${setting}`
    const candidates: Record<SettingSource, Candidate | undefined> = {
      service: rule.service && { from: 'service', field, value: rule.service(service) },
      config: rule.config && config.kind !== BUILTIN_KIND
        ? { from: shared, field, value: rule.config(config) }
        : undefined,
      default: rule.default === undefined ? undefined : { from: 'default', field: '', value: rule.default }
    }
    const { value, from } = settle(rule, { service, config })
    return {
      setting,
      value,
      from: from.length === 0 ? ['unset'] : from.map((source) => origins[source]),
      field: from.includes('service') || from.includes('config') ? field : '',
      passedOver: SOURCES.flatMap((source) => from.includes(source) ? [] : candidates[source] ?? [])
    }
  })
}

function problemsOf ({ path }: Assessment): string[] {
  if (path.kind === 'conflict') return [`another service holds ${path.holder.path} on the same gateway`]
  if (path.kind === 'pending') return [`waits for ${path.needs}`]
  return path.kind === 'invalid' ? path.problems.map((problem) => problemText(problem)) : []
}

/** One piece of a template: literal text, or an expression and its result. */
interface PathPart {
  /** As written: `/`, `{.metadata.labels['team']}`. */
  readonly source: string
  readonly kind: 'text' | 'value' | 'pending' | 'invalid'
  /** The value before encoding; for `pending` the awaited field, for `invalid` the problem. */
  readonly yields: string
  /** Its part of the path; empty without a value. */
  readonly inPath: string
}

/** The pieces of a template in order; for an invalid template its problems. Pure. */
function explainPath (template: TemplateCompilation, service: JsonObject, form: SegmentForm): PathPart[] {
  if (template.kind === 'invalid') {
    return template.problems.map((problem) =>
      ({ source: problem.expression ?? template.source, kind: 'invalid', yields: problemText(problem), inPath: '' }))
  }
  const budget = newBudget()
  const encoded = newEncoder(form)
  return template.parts.map((part) => {
    if (typeof part === 'string') return { source: part, kind: 'text', yields: part, inPath: encoded(part) }
    const reading = readExpression(part, service, budget)
    if (typeof reading === 'string') {
      return { source: part.text, kind: 'value', yields: reading, inPath: encoded(reading) }
    }
    return reading.kind === 'pending'
      ? { source: part.text, kind: 'pending', yields: reading.needs, inPath: '' }
      : { source: part.text, kind: 'invalid', yields: reading.problem.what, inPath: '' }
  })
}

/** Encodes the text of part after part. Of a segment with several parts, the last ones are cut off first. */
function newEncoder (form: SegmentForm): (text: string) => string {
  let used = 0
  return (text) => text.split('/').map((piece, index) => {
    if (index > 0) used = 0
    const kept = encodeSegment(piece, form).slice(0, form === 'dns' ? MAX_DNS_SEGMENT - used : undefined)
    used += kept.length
    return kept
  }).join('/')
}
