import type { Assessment } from '../settings/assess.ts'
import type { Fault } from './faults.ts'
import { createdAt } from '../../api/object-meta.ts'
import { isOlder } from '../../cache/path-claims.ts'
import type { TemplateProblem } from '../path/template.ts'
import type { PathIndex, ServiceKey } from '../ports.ts'
import { configTitle, type RuntimeConfig } from '../settings/runtime-config.ts'
import { displayName, keysOf, type Service } from '../settings/service.ts'
import { problemText } from '../path/problem.ts'

/** What the faults of a service depend on besides itself. */
export interface ServiceContext {
  readonly paths: PathIndex
  /** Whether the service is already stored, so that a command can be run on it. */
  readonly stored: boolean
  /** The service as it is stored, where this request changes it. */
  readonly before?: Service | undefined
  /** Whether it holds its path already, as one of two that a race let in: then only an older service is in its way. */
  readonly holds: boolean
}

/** Every fault of a service's template, path and claim, in that order; empty means well. Pure. */
export function serviceFaults (assessment: Assessment, context: ServiceContext): Fault[] {
  const { path } = assessment
  return path.kind === 'faulty'
    ? path.problems.map((problem) => templateFault(problem, assessment, context))
    : conflictFaults(assessment, context)
}

/** Source of a refusal only where the operator chose it: neither place has the configuration. */
export function missingConfigFault (service: Service): Fault {
  return {
    code: 'AIM-CONFIG-MISSING',
    field: 'spec.runtimeConfigName',
    message: `${missingConfig(service)}; create one of the two, or name another one in spec.runtimeConfigName`
  }
}

/** Of a service that reaches its final review without what admission wrote into it. */
export function missingBlockFault ({ config }: Assessment): Fault {
  const settings = config === undefined ? '' : ` of ${configTitle(config)}`
  return {
    code: 'AIM-BLOCK-MISSING',
    field: 'spec.resolvedRuntimeConfig',
    message: `the settings${settings} were written here and taken away again by another admission webhook; ` +
      'ask who operates the cluster which one changes AIMServices, by: kubectl get mutatingwebhookconfigurations'
  }
}

/** What a user is told where such services are admitted. */
export function missingConfigWarning (service: Service): string {
  return `${missingConfig(service)}; the service has no settings until one of them exists`
}

/** Said of a service that is to be routed. */
export const NO_GATEWAY =
  'routing is enabled without a gateway, so no route can be made; set spec.routing.gatewayRef on the service or in its runtime configuration'

/** Which two places were looked in, without a remedy. */
function missingConfig ({ namespace, configName }: Service): string {
  return `runtime configuration "${configName}" is missing: there is neither an AIMRuntimeConfig ${namespace}/${configName} nor an AIMClusterRuntimeConfig ${configName}`
}

function templateFault (problem: TemplateProblem, assessment: Assessment, context: ServiceContext): Fault {
  const { service, routing, config } = assessment
  const { code, missing } = problem
  const owner =
    routing.templateFrom === 'config' && config !== undefined ? ` (path template of ${configTitle(config)})` : ''
  if (missing !== undefined) {
    const field = `${missing.kind}s` as const
    const given = keysOf(context.before ?? service, field).includes(missing.key)
    const command = setCommand(service, { ...missing, stored: context.stored, given })
    const message = `${problemText(problem)}${owner}; ${field} set: ${listed(keysOf(service, field))}; run: ${command}`
    return { code, field: `metadata.${field}[${missing.key}]`, message }
  }
  return {
    code,
    field: TEMPLATE_FIELDS[routing.templateFrom],
    message: `${problemText(problem)}${owner}; ${remedy(problem, assessment)}`
  }
}

/** Who is in the way of the service's path. */
function pathHolder ({ service, claim }: Assessment, { paths, holds }: ServiceContext): ServiceKey | undefined {
  if (claim === undefined) return undefined
  const [first] = paths.holders(claim)
  const isInTheWay = first !== undefined && (!holds || isOlder(first, { since: createdAt(service.object), service }))
  return isInTheWay ? first.service : undefined
}

const TEMPLATE_FIELDS = {
  service: 'spec.routing.pathTemplate',
  config: 'spec.runtimeConfigName',
  default: 'metadata.name'
} as const

function remedy ({ remedy }: TemplateProblem, { routing, config }: Assessment): string {
  if (routing.templateFrom === 'config' && config !== undefined && routing.template.kind === 'invalid') {
    return `${remedy === undefined ? '' : `${remedy}; `}or give the service a spec.routing.pathTemplate of its own, or take the configuration's away: ${clearTemplateCommand(config)}`
  }
  if (routing.templateFrom === 'default') { return 'give the service a shorter name, or a spec.routing.pathTemplate of its own' }
  return remedy ?? 'correct spec.routing.pathTemplate, or remove it so that the next template in line applies'
}

/** The command that makes a configuration fall back to the default template. */
function clearTemplateCommand ({ kind, namespace, name }: RuntimeConfig): string {
  const target = kind === 'AIMRuntimeConfig' ? `-n ${namespace} patch aimrcfg/${name}` : `patch aimcrcfg/${name}`
  return `kubectl ${target} --type=merge -p '{"spec":{"routing":{"pathTemplate":null}}}'`
}

interface Setting {
  readonly kind: 'label' | 'annotation'
  /** Safe in a shell: see `isQualifiedName`. */
  readonly key: string
  readonly stored: boolean
  /** Whether there is a value to be overwritten. */
  readonly given: boolean
}

/**
 * The command that sets a label or an annotation: on the stored service, or in the manifest of one that is yet to be
 * created. The manifest may leave the namespace to the command line, so the command names it.
 */
function setCommand ({ namespace, name, generateName }: Service, { kind, key, stored, given }: Setting): string {
  const verb = kind === 'label' ? 'label' : 'annotate'
  const overwrite = given ? ' --overwrite' : ''
  return stored
    ? `kubectl -n ${namespace} ${verb} aimsvc/${name} ${key}=VALUE${overwrite}`
    : `kubectl ${verb} --local -f FILE ${key}=VALUE${overwrite} -o yaml | kubectl -n ${namespace} ${generateName === '' ? 'apply' : 'create'} -f -`
}

/** The first keys, as many as leave room for the remedy: a service may have thousands, of 317 characters each. */
function listed (keys: readonly string[]): string {
  if (keys.length === 0) return 'none'
  let room = MAX_LISTED
  const first = keys.filter((key) => (room -= key.length + ', '.length) >= 0)
  const more = keys.length - first.length
  if (more === 0) return first.join(', ')
  return first.length === 0 ? String(more) : `${first.join(', ')} and ${more} more`
}

/** In characters. */
const MAX_LISTED = 320

function conflictFaults (assessment: Assessment, context: ServiceContext): Fault[] {
  const { service, claim, routing } = assessment
  const holder = pathHolder(assessment, context)
  if (claim === undefined || holder === undefined) return []
  const gateway = `${claim.gateway.namespace ?? ''}/${claim.gateway.name}`
  return [{
    code: 'AIM-PATH-CONFLICT',
    field: TEMPLATE_FIELDS[routing.templateFrom],
    message: `path ${claim.path} of service ${displayName(service)} is already held by AIMService ${holder.namespace}/${holder.name} on gateway ${gateway}; ` +
      'give this service a path of its own in spec.routing.pathTemplate, or change what its template names; ' +
      `the holder: kubectl -n ${holder.namespace} get aimsvc/${holder.name}`
  }]
}
