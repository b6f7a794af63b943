import { isJsonObject, ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import type { GetResult, ClusterReader } from './cluster-reader.ts'
import { differences, differenceText, type Difference } from './differences.ts'
import { shellWord, type CheckResult } from './check-result.ts'

const CHECK = 'registration'

/**
 * Whether the webhook configurations are those that the program would print; `mend` is the command that makes them
 * where they are missing.
 */
export async function checkRegistration (wanted: readonly JsonObject[], { cluster, mend }: { cluster: ClusterReader, mend: string }): Promise<CheckResult[]> {
  return (await Promise.all(wanted.map(async (configuration) =>
    registrationFindings(configuration, await cluster.get(registrationPath(configuration)), mend)))).flat()
}

/** Where an object of admissionregistration.k8s.io/v1 is found. */
export function registrationPath (object: JsonObject): string {
  const plural = `${ownString(object, 'kind').toLowerCase().replace(/y$/, 'ie')}s`
  return `/apis/admissionregistration.k8s.io/v1/${plural}/${ownString(ownObject(object, 'metadata'), 'name')}`
}

/**
 * Of each webhook of one configuration. What is found wrong is mended by one patch, which touches no caBundle. Pure.
 */
export function registrationFindings (wanted: JsonObject, live: GetResult, mend: string): CheckResult[] {
  const title = `${ownString(wanted, 'kind')} ${ownString(ownObject(wanted, 'metadata'), 'name')}`
  if (live.kind === 'refused') return [{ check: CHECK, kind: 'unknown', subject: title, what: live.why }]
  if (live.kind === 'missing') { return [{ check: CHECK, kind: 'problem', subject: title, what: 'is missing, so the API server asks nobody', mend }] }
  const found = webhooksOf(live.object)
  const asked = webhooksOf(wanted)
  const patch = (operations: readonly JsonObject[]): string => patchCommand(wanted, operations)
  return [
    ...asked.map((webhook) => webhookFinding(webhook, { found, title, patch })),
    ...found.flatMap((webhook, at) =>
      asked.some(({ name }) => name === webhook['name']) ? [] : [strayFinding(webhook, { at, title, patch })]
    )
  ]
}

export function webhooksOf (configuration: JsonObject): JsonObject[] {
  return ownObjects(configuration, 'webhooks')
}

interface Context { readonly title: string, readonly patch: (operations: readonly JsonObject[]) => string }

function webhookFinding (wanted: JsonObject, { found, title, patch }: Context & { readonly found: readonly JsonObject[] }): CheckResult {
  const name = ownString(wanted, 'name')
  const subject = `${title}, ${name}`
  const at = found.findIndex((webhook) => webhook['name'] === name)
  const live = found[at]
  const problem = (what: string, operations: readonly JsonObject[]): CheckResult => ({
    check: CHECK,
    kind: 'problem',
    subject,
    what,
    mend: patch(operations)
  })
  if (live === undefined) return problem('is missing', [{ op: 'add', path: '/webhooks/-', value: wanted }])
  const wrong = differences(comparable(wanted), comparable(live))
  return wrong.length === 0
    ? { check: CHECK, kind: 'well', subject, what: 'is as the program registers it' }
    : problem(wrong.map(differenceText).join('; '), [sameName(at, name), ...wrong.map((difference) => patchOperation(['webhooks', at], difference))])
}

function strayFinding (webhook: JsonObject, { at, title, patch }: Context & { readonly at: number }): CheckResult {
  const name = ownString(webhook, 'name')
  const mend = patch([sameName(at, name), { op: 'remove', path: `/webhooks/${at}` }])
  return {
    check: CHECK,
    kind: 'problem',
    subject: `${title}, ${name}`,
    what: "is none of the program's webhooks",
    mend
  }
}

/**
 * A webhook with what the API server fills in, and without its caBundle, which has an owner of its own. Source:
 * admissionregistration.k8s.io/v1, defaults.
 */
function comparable (webhook: JsonObject): JsonObject {
  const { caBundle, service, ...client } = ownObject(webhook, 'clientConfig')
  const clientConfig = { ...client, ...(isJsonObject(service) && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}

/** The patch does nothing where the list has changed meanwhile. */
function sameName (at: number, name: string): JsonObject {
  return { op: 'test', path: `/webhooks/${at}/name`, value: name }
}

/** What takes a difference away, in an object that holds what was compared at `root`. */
export function patchOperation (root: Difference['path'], { path, wanted }: Difference): JsonObject {
  const pointer = ['', ...root, ...path].map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')
  return wanted === undefined ? { op: 'remove', path: pointer } : { op: 'add', path: pointer, value: wanted }
}

/** One JSON patch of an object of the cluster, as a command. */
export function patchCommand (object: JsonObject, operations: readonly JsonObject[]): string {
  const name = ownString(ownObject(object, 'metadata'), 'name')
  return `kubectl patch ${ownString(object, 'kind').toLowerCase()} ${shellWord(name)} --type=json -p ${shellWord(JSON.stringify(operations))}`
}
