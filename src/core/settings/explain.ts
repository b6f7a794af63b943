import { assessService, type Assessment } from './assess.ts'
import { explainPath, type PathPart } from '../path/explain.ts'
import { sameJson } from '../../platform/json.ts'
import type { ConfigLookup } from '../ports.ts'
import { configTitle, type RuntimeConfig } from './runtime-config.ts'
import { DEFAULT_PATH_TEMPLATE, type ServicePath } from './service-path.ts'
import { displayName, type Service } from './service.ts'
import { problemText } from '../path/problem.ts'

/** Who gives a setting; `nobody` where it is unset and has no default. */
export type Origin = 'service' | 'namespace config' | 'cluster config' | 'default' | 'nobody'

/** A place that was looked at for a setting. */
export interface Candidate {
  readonly from: Exclude<Origin, 'nobody'>
  /** Field path there; empty for a default. */
  readonly field: string
  /** Undefined where the place does not give the setting. */
  readonly value: unknown
}

/** One setting of the resolved block. */
export interface ExplainedSetting {
  /** Below `spec.resolvedRuntimeConfig`: `routing.pathTemplate`. */
  readonly setting: string
  readonly value: unknown
  /** More than one for a list that is joined of several. */
  readonly from: readonly Origin[]
  /** Field path where it is given. */
  readonly field: string
  /** Looked at before or after, and without a say. */
  readonly passedOver: readonly Candidate[]
}

/** A configuration that was looked for. */
export interface LookedAt {
  readonly kind: RuntimeConfig['kind']
  /** Empty for a cluster configuration. */
  readonly namespace: string
  readonly name: string
  readonly found: boolean
  /** Only one counts, whole. */
  readonly used: boolean
}

/** Why a service has the settings that it has. */
export interface Explanation {
  readonly namespace: string
  readonly name: string
  /** Who names the configuration. */
  readonly configNameFrom: 'service' | 'default'
  readonly lookedAt: readonly LookedAt[]
  /** `AIMRuntimeConfig ml-team/default`; undefined where it is missing. */
  readonly config: string | undefined
  readonly hash: string | undefined
  /** Empty where the configuration is missing: then nothing is injected. */
  readonly settings: readonly ExplainedSetting[]
  readonly path: ExplainedPath
  /** Whether the block of the service is what admission would write now; undefined where it has none. */
  readonly current: boolean | undefined
}

export interface ExplainedPath {
  readonly kind: ServicePath['kind']
  /** Only of kind `path`. */
  readonly path: string | undefined
  readonly template: string
  readonly parts: readonly PathPart[]
  /** Why there is none, one line each. */
  readonly problems: readonly string[]
}

/** Explains a service by what admission itself would decide of it. Pure, and fit for a browser. */
export function explainService (service: Service, configs: ConfigLookup): Explanation {
  const assessment = assessService(service, configs)
  const { config, path, routing, block } = assessment
  return {
    namespace: service.namespace,
    name: displayName(service),
    configNameFrom: service.givenConfigName === undefined ? 'default' : 'service',
    lookedAt: lookedAt(service, configs),
    config: config === undefined ? undefined : configTitle(config),
    hash: config?.hash,
    settings: config === undefined ? [] : settingsOf(service, config),
    path: {
      kind: path.kind,
      path: path.kind === 'path' ? path.path : undefined,
      template: routing.template.source,
      parts: explainPath(routing.template, service),
      problems: problemsOf(assessment)
    },
    current: service.block === undefined ? undefined : sameJson(block, service.block)
  }
}

function lookedAt ({ namespace, configName: name }: Service, configs: ConfigLookup): LookedAt[] {
  const own = configs.namespaced(namespace, name) !== undefined
  const shared = configs.cluster(name) !== undefined
  return [
    { kind: 'AIMRuntimeConfig', namespace, name, found: own, used: own },
    { kind: 'AIMClusterRuntimeConfig', namespace: '', name, found: shared, used: shared && !own }
  ]
}

function problemsOf ({ path }: Assessment): string[] {
  if (path.kind === 'pending') return [`it waits for ${path.needs}`]
  return path.kind === 'faulty' ? path.problems.map(problemText) : []
}

function settingsOf (service: Service, config: RuntimeConfig): ExplainedSetting[] {
  const scope = config.scope === 'Namespace' ? 'namespace config' : 'cluster config'
  const ofService = <T>(field: string, value: T) => ({ from: 'service', field, value }) as const
  const ofConfig = <T>(field: string, value: T) => ({ from: scope, field, value }) as const
  const byDefault = (value: unknown): Candidate => ({ from: 'default', field: '', value })
  const both = (field: string, value: unknown, ofTheConfig: unknown): Candidate[] => [
    ofService(field, value),
    ofConfig(field, ofTheConfig)
  ]
  const { routing: own } = service
  const { routing: shared } = config
  return [
    settled('defaultStorageClassName', [ofConfig('spec.defaultStorageClassName', config.defaultStorageClassName)]),
    settled(
      'serviceAccountName',
      both('spec.serviceAccountName', service.serviceAccountName, config.serviceAccountName)
    ),
    joined(
      ofService('spec.imagePullSecrets', names(service.imagePullSecrets)),
      ofConfig('spec.imagePullSecrets', names(config.imagePullSecrets))
    ),
    modelSetting('creationScope', config, scope),
    modelSetting('autoDiscovery', config, scope),
    settled('routing.enabled', [...both('spec.routing.enabled', own.enabled, shared.enabled), byDefault(false)]),
    settled('routing.gatewayRef', both('spec.routing.gatewayRef', own.gatewayRef, shared.gatewayRef)),
    settled('routing.pathTemplate', [
      ...both('spec.routing.pathTemplate', own.pathTemplate, shared.pathTemplate),
      byDefault(DEFAULT_PATH_TEMPLATE)
    ])
  ]
}

/** The first candidate that gives a value has the say. */
function settled (setting: string, candidates: readonly Candidate[]): ExplainedSetting {
  const winner = candidates.find(({ value }) => value !== undefined)
  return {
    setting,
    value: winner?.value,
    from: [winner?.from ?? 'nobody'],
    field: winner?.field ?? '',
    passedOver: candidates.filter((candidate) => candidate !== winner)
  }
}

interface NamesCandidate extends Candidate { readonly value: readonly string[] }

/** Pull secrets are joined: the service's own first, one entry a name. */
function joined (own: NamesCandidate, shared: NamesCandidate): ExplainedSetting {
  const givers = [own, shared].filter(({ value }) => value.length > 0)
  const all = [...new Set([...own.value, ...shared.value])]
  return {
    setting: 'imagePullSecrets',
    value: all.length === 0 ? undefined : all,
    from: givers.length === 0 ? ['nobody'] : givers.map(({ from }) => from),
    field: givers.length === 0 ? '' : 'spec.imagePullSecrets',
    passedOver: [own, shared]
      .filter(({ value }) => value.length === 0)
      .map((candidate) => ({ ...candidate, value: undefined }))
  }
}

/** A service has no say in these. */
function modelSetting (field: 'creationScope' | 'autoDiscovery', { model, modelGiven }: RuntimeConfig, scope: Candidate['from']): ExplainedSetting {
  const given: Candidate = { from: scope, field: `spec.model.${field}`, value: modelGiven[field] }
  return settled(`model.${field}`, [given, { from: 'default', field: '', value: model[field] }])
}

function names (references: readonly { readonly name: string }[]): string[] {
  return references.map(({ name }) => name)
}
