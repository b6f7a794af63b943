import jsonpatch, { type Operation } from 'fast-json-patch'
import type { ReadResult } from '../../../core/ports.ts'
import { isJsonObject, ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import { escapeJson } from '../../../platform/printable.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { shellWord, type CheckResult } from './format.ts'

const CRD_FIX = 'aim-admission manifests crds | kubectl apply --server-side --force-conflicts -f -'

/** Whether the CustomResourceDefinitions exist, are served, and are those of this version of the program. */
export async function checkDefinitions (wanted: readonly JsonObject[], cluster: ClusterReader): Promise<CheckResult[]> {
  return await Promise.all(wanted.map(async (definition) => {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${nameOf(definition)}`
    return definitionResult(definition, await cluster.read(path))
  }))
}

function definitionResult (wanted: JsonObject, live: ReadResult): CheckResult {
  const about = { check: 'definitions', subject: titleOf(wanted) } as const
  if (live.kind === 'failed') return { ...about, kind: 'unknown', what: live.reason }
  const problem = live.kind === 'missing'
    ? 'is missing, so no such object can be stored'
    : definitionProblem(wanted, live.object)
  return problem === undefined
    ? { ...about, kind: 'ok', what: 'is served, in this version of the program' }
    : { ...about, kind: 'problem', what: problem, fix: CRD_FIX }
}

function definitionProblem (wanted: JsonObject, live: JsonObject): string | undefined {
  const spec = { ...ownObject(wanted, 'spec'), conversion: { strategy: 'None' } }
  const { texts: [first, ...more] } = compare(ownObject(live, 'spec'), spec)
  if (first !== undefined) {
    return `differs from this version of the program: ${first}${more.length === 0 ? '' : `, and ${more.length} more`}`
  }
  const established = ownObjects(ownObject(live, 'status'), 'conditions')
    .some(({ type, status }) => type === 'Established' && status === 'True')
  return established ? undefined : 'is not established'
}

interface CheckOptions {
  readonly cluster: ClusterReader
  /** The command that creates what is missing. */
  readonly fix: string
}

/** Whether the webhook configurations are those that the program prints, except their caBundle. */
export async function checkRegistration (
  wanted: readonly JsonObject[], { cluster, fix }: CheckOptions
): Promise<CheckResult[]> {
  const results = await Promise.all(wanted.map(async (configuration) =>
    registrationResults(configuration, await cluster.read(registrationPath(configuration)), fix)))
  return results.flat()
}

/** Path of an object of admissionregistration.k8s.io/v1. */
export function registrationPath (object: JsonObject): string {
  const plural = `${ownString(object, 'kind').toLowerCase().replace(/y$/, 'ie')}s`
  return `/apis/admissionregistration.k8s.io/v1/${plural}/${nameOf(object)}`
}

/** One result per webhook. One patch, which keeps the caBundle, fixes all that is wrong with a webhook. */
function registrationResults (wanted: JsonObject, live: ReadResult, fix: string): CheckResult[] {
  const check = 'registration'
  const title = titleOf(wanted)
  if (live.kind === 'failed') return [{ check, kind: 'unknown', subject: title, what: live.reason }]
  if (live.kind === 'missing') {
    return [{ check, kind: 'problem', subject: title, what: 'is missing, so the API server calls no webhook', fix }]
  }
  const found = webhooksOf(live.object)
  const expected = webhooksOf(wanted)
  const problem = (name: string, what: string, operations: readonly JsonObject[]): CheckResult =>
    ({ check, kind: 'problem', subject: `${title}, ${name}`, what, fix: patchCommand(wanted, operations) })
  const unexpected = found.flatMap((webhook, at) => {
    const name = ownString(webhook, 'name')
    if (expected.some((other) => other['name'] === name)) return []
    const removal = [nameTest(at, name), { op: 'remove', path: `/webhooks/${at}` }]
    return [problem(name, 'is not a webhook of the program', removal)]
  })
  return [...expected.map((webhook) => {
    const name = ownString(webhook, 'name')
    const at = found.findIndex((other) => other['name'] === name)
    const current = found[at]
    if (current === undefined) return problem(name, 'is missing', [{ op: 'add', path: '/webhooks/-', value: webhook }])
    const { texts, patch } = compare(comparable(current), comparable(webhook), `/webhooks/${at}`)
    return texts.length === 0
      ? { check, kind: 'ok', subject: `${title}, ${name}`, what: 'is as the program registers it' } as const
      : problem(name, texts.join('; '), [nameTest(at, name), ...patch])
  }), ...unexpected]
}

export function webhooksOf (configuration: JsonObject): JsonObject[] {
  return ownObjects(configuration, 'webhooks')
}

/** With the defaults of the API server, without the caBundle. Source: admissionregistration.k8s.io/v1. */
function comparable (webhook: JsonObject): JsonObject {
  const { caBundle, service, ...client } = ownObject(webhook, 'clientConfig')
  const clientConfig = { ...client, ...(isJsonObject(service) && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}

/** Makes a patch fail if the list has changed in the meantime. */
function nameTest (at: number, name: string): JsonObject {
  return { op: 'test', path: `/webhooks/${at}/name`, value: name }
}

/** Whether the policy that limits the rights of the program, and its binding, are those that the program prints. */
export async function checkPolicy (
  wanted: readonly JsonObject[], { cluster, fix }: CheckOptions
): Promise<CheckResult[]> {
  const policies = wanted.filter(({ kind }) => String(kind).startsWith('ValidatingAdmissionPolicy'))
  return await Promise.all(policies.map(async (object) =>
    policyResult(object, await cluster.read(registrationPath(object)), fix)))
}

function policyResult (wanted: JsonObject, live: ReadResult, fix: string): CheckResult {
  const about = { check: 'policy', subject: titleOf(wanted) } as const
  if (live.kind === 'failed') return { ...about, kind: 'unknown', what: live.reason }
  if (live.kind === 'missing') {
    const what = 'is missing, so the rights of serve are not limited to the caBundle of its webhooks'
    return { ...about, kind: 'problem', what, fix }
  }
  const { texts, patch } = compare(ownObject(live.object, 'spec'), withDefaults(ownObject(wanted, 'spec')), '/spec')
  return texts.length === 0
    ? { ...about, kind: 'ok', what: 'is as the program prints it' }
    : { ...about, kind: 'problem', what: texts.join('; '), fix: patchCommand(wanted, patch) }
}

/** With the defaults of the API server. Source: admissionregistration.k8s.io/v1, MatchResources. */
function withDefaults (spec: JsonObject): JsonObject {
  if (!('matchConstraints' in spec)) return spec
  const defaults = { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} }
  return { ...spec, matchConstraints: { ...defaults, ...ownObject(spec, 'matchConstraints') } }
}

interface Comparison {
  /** `timeoutSeconds is 30, not 5` */
  readonly texts: readonly string[]
  /** Turns the live object into the wanted one. */
  readonly patch: readonly JsonObject[]
}

/** Compares objects found at `root` of the patched object. */
function compare (live: JsonObject, wanted: JsonObject, root = ''): Comparison {
  const operations = jsonpatch.compare(live, wanted)
  return {
    texts: operations.map((operation) => differenceText(operation, live)),
    patch: operations.map((operation) => ({ ...operation, path: root + operation.path }))
  }
}

function differenceText (operation: Operation, live: JsonObject): string {
  const field = operation.path.slice(1).split('/').map(jsonpatch.unescapePathComponent)
    .map((key) => /^\d+$/.test(key) ? `[${key}]` : `.${key}`).join('').replace(/^\./, '')
  const wanted = operation.op === 'add' || operation.op === 'replace' ? valueText(operation.value) : ''
  if (operation.op === 'add') return `${field} is not set, and should be ${wanted}`
  const found = valueText(jsonpatch.getValueByPointer(live, operation.path))
  return `${field} is ${found}, ${operation.op === 'remove' ? 'and should not be set' : `not ${wanted}`}`
}

/** In UTF-16 code units. */
const MAX_VALUE = 120

function valueText (value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > MAX_VALUE ? `${json.slice(0, MAX_VALUE)}…` : json
}

/** The command of a JSON Patch. */
export function patchCommand (object: JsonObject, operations: readonly JsonObject[]): string {
  const target = `${ownString(object, 'kind').toLowerCase()} ${shellWord(nameOf(object))}`
  return `kubectl patch ${target} --type=json -p ${shellWord(escapeJson(JSON.stringify(operations)))}`
}

export function nameOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'name')
}

function titleOf (object: JsonObject): string {
  return `${ownString(object, 'kind')} ${nameOf(object)}`
}
