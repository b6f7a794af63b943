import { BLOCK_ANNOTATION } from '../../api/meta.ts'
import { keyText } from '../../api/object-meta.ts'
import { problemText, type TemplateProblem } from '../path/problem.ts'
import { impossibleFields } from '../path/template.ts'
import type { Assessment } from '../settings/assess.ts'
import { configTitle } from '../settings/runtime-config.ts'
import { keysOf, type Service } from '../settings/service.ts'
import type { ServedFields } from '../ports.ts'
import { didYouMean, firstNames } from '../../platform/similar-name.ts'
import type { ConfigLookup, PathPolicy } from '../world.ts'
import type { Fault } from '../faults.ts'

/** What the faults of a service depend on besides its assessment. */
export interface ServiceContext {
  /** Whether the service is stored, so that a command can change it. */
  readonly stored: boolean
  /** The stored service that this request changes. */
  readonly before?: Service | undefined
  readonly conflictDetails: PathPolicy['conflictDetails']
  readonly served: ServedFields
}

/** Every fault of a service's template, path, and claim; empty for a healthy service. Pure. */
export function serviceFaults (assessment: Assessment, context: ServiceContext): Fault[] {
  const { path } = assessment
  return path.kind === 'invalid'
    ? path.problems.map((problem) =>
      impossibleFault(problem, assessment, context) ?? templateFault(problem, assessment, context))
    : conflictFaults(assessment, context)
}

/** For a service whose configuration is missing, under the policy `refuse`. */
export function missingConfigFault (service: Service, configs?: ConfigLookup): Fault {
  const message = `${missingConfig(service, configs)}; create one of them, or name another in spec.runtimeConfigName`
  return { code: 'AIM-CONFIG-MISSING', field: 'spec.runtimeConfigName', message }
}

/** For a service whose configuration is missing, under the policy `warn`. */
export function missingConfigWarning (service: Service, configs: ConfigLookup): string {
  return `${missingConfig(service, configs)}; the service has no settings until one of them exists`
}

/** A condition gives no `configs`: nothing would update the hint when a configuration comes. */
function missingConfig ({ namespace, configName }: Service, configs?: ConfigLookup): string {
  const similar = configs?.similar({ namespace, name: configName })
  const hint = similar === undefined ? '' : didYouMean(configName, [similar])
  return `runtime configuration "${configName}" is missing${hint}: there is neither an AIMRuntimeConfig ` +
    `${keyText({ namespace, name: configName })} nor an AIMClusterRuntimeConfig ${configName}`
}

/** For a service that reaches the validating webhook without the block of the mutating one. */
export function missingBlockFault ({ config, blockPlace }: Assessment): Fault {
  const settings = config === undefined ? '' : ` of ${configTitle(config)}`
  return {
    code: 'AIM-BLOCK-MISSING',
    field: blockPlace === 'spec' ? 'spec.resolvedRuntimeConfig' : `metadata.annotations[${BLOCK_ANNOTATION}]`,
    message: `another admission webhook removed the settings${settings}; ` +
      'ask your cluster administrator which one: kubectl get mutatingwebhookconfigurations'
  }
}

/** Warning and condition message of a service with routing enabled and no gateway. */
export const NO_GATEWAY = 'routing is enabled without a gateway, so no route can be created; ' +
  'set spec.routing.gatewayRef on the service or in its runtime configuration'

/** In place of a problem that asks for a value, where no service can have the field: only another template helps. */
function impossibleFault (
  { code, position, asksForValue }: TemplateProblem, { routing, config }: Assessment, { served }: ServiceContext
): Fault | undefined {
  if (asksForValue !== true) return undefined
  const found = impossibleFields(routing.template, served).find((each) => each.position === position)
  const owner = routing.templateFrom === 'config' && config ? configTitle(config) : undefined
  const fix = owner === undefined ? found?.remedy : 'correct it there, or set spec.routing.pathTemplate on the service'
  const field = TEMPLATE_FIELDS[routing.templateFrom]
  return found && { code, field, message: `${problemText(found, owner)}; ${fix}` }
}

function templateFault (problem: TemplateProblem, assessment: Assessment, context: ServiceContext): Fault {
  const { service, routing, config } = assessment
  const { code, missing } = problem
  const owner = routing.templateFrom === 'config' && config ? configTitle(config) : undefined
  if (missing !== undefined) {
    const field = `${missing.kind}s` as const
    const isSet = keysOf(context.before ?? service, field).includes(missing.key)
    const keys = keysOf(service, field)
    const reason = owner === undefined ? '' : `; the path template of ${owner} needs it`
    const command = setCommand(service, missing, { stored: context.stored, isSet })
    const message = `${problem.what}${didYouMean(missing.key, keys)}${reason}${listed(field, keys)}; run: ${command}`
    return { code, field: `metadata.${field}[${missing.key}]`, message }
  }
  const message = `${problemText(problem, owner)}; ${templateRemedy(problem, assessment)}`
  return { code, field: TEMPLATE_FIELDS[routing.templateFrom], message }
}

/** The field of the service that chooses its template. */
const TEMPLATE_FIELDS = {
  service: 'spec.routing.pathTemplate',
  config: 'spec.runtimeConfigName',
  default: 'metadata.name'
} as const

function templateRemedy ({ remedy }: TemplateProblem, { routing, config }: Assessment): string {
  if (routing.templateFrom === 'config' && config !== undefined && routing.template.kind === 'invalid') {
    return `${remedy ?? 'correct the configuration'}, or set spec.routing.pathTemplate on the service`
  }
  if (routing.templateFrom === 'default') {
    return 'give the service a shorter name, or set spec.routing.pathTemplate on it'
  }
  return remedy ?? 'correct spec.routing.pathTemplate, or remove it so that the default applies'
}

/**
 * Sets a label or annotation on the stored service, or in the manifest of one that does not exist yet. The key is safe
 * in a shell: see `isQualifiedName`. The value to be given comes last, in angle brackets: pasted as it is, the command
 * is a syntax error in every shell.
 */
function setCommand (
  { namespace, name, generateName }: Service, { kind, key }: NonNullable<TemplateProblem['missing']>,
  { stored, isSet }: { readonly stored: boolean, readonly isSet: boolean }
): string {
  const verb = kind === 'label' ? 'label' : 'annotate'
  const overwrite = isSet ? ' --overwrite' : ''
  const entry = `${key}=<${key.slice(key.lastIndexOf('/') + 1)}>`
  if (stored) return `kubectl -n ${namespace} ${verb} aimsvc/${name}${overwrite} ${entry}`
  const local = `kubectl ${verb} --local -f FILE -o yaml${overwrite} ${entry}`
  return `${local} | kubectl -n ${namespace} ${generateName === '' ? 'apply' : 'create'} -f -`
}

/** The first keys, as many as leave room for the remedy: a service may have thousands of up to 317 characters. */
function listed (field: string, keys: readonly string[]): string {
  return keys.length === 0 ? '' : `; ${field} set: ${firstNames(keys, MAX_LISTED)}`
}

/** In characters. */
const MAX_LISTED = 60

function conflictFaults ({ service, path, wanted, routing }: Assessment, { conflictDetails }: ServiceContext): Fault[] {
  if (path.kind !== 'conflict' || wanted === undefined) return []
  const { holder, relation } = path
  const isHidden = conflictDetails === 'hidden' && holder.service.namespace !== service.namespace
  const name = isHidden ? 'a service of another namespace' : `AIMService ${keyText(holder.service)}`
  const theirs = isHidden ? 'the path' : `path ${holder.path}`
  const how = {
    same: `is already held by ${name}`,
    above: `lies below ${theirs} of ${name}`,
    below: `covers ${theirs} of ${name}`
  }[relation]
  const gateway = keyText({ namespace: wanted.gateway.namespace ?? '', name: wanted.gateway.name })
  const see = isHidden ? '' : `; see: kubectl -n ${holder.service.namespace} get aimsvc/${holder.service.name}`
  const message = `path ${path.path} ${how} on gateway ${gateway}; set another spec.routing.pathTemplate${see}`
  return [{ code: 'AIM-PATH-CONFLICT', field: TEMPLATE_FIELDS[routing.templateFrom], message }]
}
