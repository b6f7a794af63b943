import { RECORD_ANNOTATION } from '../../api/meta.ts'
import { objectKey } from '../../api/object-meta.ts'
import { problemText, type TemplateProblem } from '../path/problem.ts'
import type { Assessment } from '../settings/assess.ts'
import { configTitle, type RuntimeConfig } from '../settings/runtime-config.ts'
import { displayName, keysOf, type Service } from '../settings/service.ts'
import type { PathPolicy } from '../world.ts'
import type { Fault } from './faults.ts'

/** What the faults of a service depend on besides its assessment. */
export interface ServiceContext {
  /** Whether the service is stored, so that a command can change it. */
  readonly stored: boolean
  /** The stored service that this request changes. */
  readonly before?: Service | undefined
  readonly conflictDetails: PathPolicy['conflictDetails']
}

/** Every fault of a service's template, path, and claim; empty for a healthy service. Pure. */
export function serviceFaults (assessment: Assessment, context: ServiceContext): Fault[] {
  const { path } = assessment
  return path.kind === 'invalid'
    ? path.problems.map((problem) => templateFault(problem, assessment, context))
    : conflictFaults(assessment, context)
}

/** For a service whose configuration is missing, under the policy `refuse`. */
export function missingConfigFault (service: Service): Fault {
  return {
    code: 'AIM-CONFIG-MISSING',
    field: 'spec.runtimeConfigName',
    message: `${missingConfig(service)}; create one of the two, or name another one in spec.runtimeConfigName`
  }
}

/** For a service whose configuration is missing, under the policy `warn`. */
export function missingConfigWarning (service: Service): string {
  return `${missingConfig(service)}; the service has no settings until one of them exists`
}

function missingConfig ({ namespace, configName }: Service): string {
  return `runtime configuration "${configName}" is missing: there is neither an AIMRuntimeConfig ` +
    `${objectKey({ namespace, name: configName })} nor an AIMClusterRuntimeConfig ${configName}`
}

/** For a service that reaches the validating webhook without the block of the mutating one. */
export function missingBlockFault ({ config, recordIn }: Assessment): Fault {
  const settings = config === undefined ? '' : ` of ${configTitle(config)}`
  return {
    code: 'AIM-BLOCK-MISSING',
    field: recordIn === 'spec' ? 'spec.resolvedRuntimeConfig' : `metadata.annotations[${RECORD_ANNOTATION}]`,
    message: `another admission webhook removed the settings${settings} that were written here; ` +
      'ask the cluster administrator which webhook changes AIMServices: kubectl get mutatingwebhookconfigurations'
  }
}

/** Warning and condition message of a service with routing enabled and no gateway. */
export const NO_GATEWAY = 'routing is enabled without a gateway, so no route can be created; ' +
  'set spec.routing.gatewayRef on the service or in its runtime configuration'

function templateFault (problem: TemplateProblem, assessment: Assessment, context: ServiceContext): Fault {
  const { service, routing, config } = assessment
  const { code, missing } = problem
  const owner = routing.templateFrom === 'config' && config ? ` (path template of ${configTitle(config)})` : ''
  if (missing !== undefined) {
    const field = `${missing.kind}s` as const
    const isSet = keysOf(context.before ?? service, field).includes(missing.key)
    const command = setCommand(service, { ...missing, stored: context.stored, isSet })
    return {
      code,
      field: `metadata.${field}[${missing.key}]`,
      message: `${problemText(problem)}${owner}; ${field} set: ${listed(keysOf(service, field))}; run: ${command}`
    }
  }
  return {
    code,
    field: TEMPLATE_FIELDS[routing.templateFrom],
    message: `${problemText(problem)}${owner}; ${templateRemedy(problem, assessment)}`
  }
}

/** The field of the service that chooses its template. */
const TEMPLATE_FIELDS = {
  service: 'spec.routing.pathTemplate',
  config: 'spec.runtimeConfigName',
  default: 'metadata.name'
} as const

function templateRemedy ({ remedy }: TemplateProblem, { routing, config }: Assessment): string {
  if (routing.templateFrom === 'config' && config !== undefined && routing.template.kind === 'invalid') {
    return `${remedy === undefined ? '' : `${remedy}; `}or set spec.routing.pathTemplate on the service, ` +
      `or remove the template of the configuration: ${clearTemplateCommand(config)}`
  }
  if (routing.templateFrom === 'default') {
    return 'give the service a shorter name, or set spec.routing.pathTemplate on it'
  }
  return remedy ?? 'correct spec.routing.pathTemplate, or remove it so that the default applies'
}

/** Makes the default template apply to the services of a configuration. */
function clearTemplateCommand ({ kind, namespace, name }: RuntimeConfig): string {
  const target = kind === 'AIMRuntimeConfig' ? `-n ${namespace} patch aimrcfg/${name}` : `patch aimcrcfg/${name}`
  return `kubectl ${target} --type=merge -p '{"spec":{"routing":{"pathTemplate":null}}}'`
}

interface MetadataEntry {
  readonly kind: 'label' | 'annotation'
  /** Safe in a shell: see `isQualifiedName`. */
  readonly key: string
  readonly stored: boolean
  /** Whether there is a value to overwrite. */
  readonly isSet: boolean
}

/** Sets a label or annotation on the stored service, or in the manifest of one that does not exist yet. */
function setCommand ({ namespace, name, generateName }: Service, { kind, key, stored, isSet }: MetadataEntry): string {
  const verb = kind === 'label' ? 'label' : 'annotate'
  const overwrite = isSet ? ' --overwrite' : ''
  if (stored) return `kubectl -n ${namespace} ${verb} aimsvc/${name} ${key}=VALUE${overwrite}`
  const local = `kubectl ${verb} --local -f FILE ${key}=VALUE${overwrite} -o yaml`
  return `${local} | kubectl -n ${namespace} ${generateName === '' ? 'apply' : 'create'} -f -`
}

/** The first keys, as many as leave room for the remedy: a service may have thousands of up to 317 characters. */
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

function conflictFaults ({ service, path, wanted, routing }: Assessment, { conflictDetails }: ServiceContext): Fault[] {
  if (path.kind !== 'conflict' || wanted === undefined) return []
  const { holder, relation } = path
  const isHidden = conflictDetails === 'hidden' && holder.service.namespace !== service.namespace
  const name = isHidden ? 'a service of another namespace' : `AIMService ${objectKey(holder.service)}`
  const theirs = isHidden ? 'the path' : `path ${holder.path}`
  const how = {
    same: `is already held by ${name}`,
    above: `lies below ${theirs} of ${name}`,
    below: `covers ${theirs} of ${name}`
  }[relation]
  const gateway = objectKey({ namespace: wanted.gateway.namespace ?? '', name: wanted.gateway.name })
  const command = `; to see the holder: kubectl -n ${holder.service.namespace} get aimsvc/${holder.service.name}`
  return [{
    code: 'AIM-PATH-CONFLICT',
    field: TEMPLATE_FIELDS[routing.templateFrom],
    message: `path ${path.path} of service ${displayName(service)} ${how} on gateway ${gateway}; set another path in ` +
      `spec.routing.pathTemplate, or change the values that its template names${isHidden ? '' : command}`
  }]
}
