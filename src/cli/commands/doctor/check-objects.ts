import jsonpatch, { type Operation } from 'fast-json-patch'
import { GROUP, PREFIX, BLOCK_ANNOTATION } from '../../../api/meta.ts'
import { keyOf } from '../../../api/object-meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import { escapeJson } from '../../../platform/printable.ts'
import type { AccessCheckOptions } from './check-access.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { shellWord, type CheckResult } from './format.ts'

const CRD_FIX = `aim-admission manifests crds${GROUP === PREFIX ? '' : ` --api-group ${GROUP}`} | ` +
  'kubectl apply --server-side --force-conflicts -f -'

/**
 * Whether the CustomResourceDefinitions exist, are served, and whose they are: those of this version of the program,
 * or an operator's. No fix replaces a definition while one of them is an operator's.
 */
export async function checkDefinitions (wanted: readonly JsonObject[], cluster: ClusterReader): Promise<CheckResult[]> {
  const read = await Promise.all(wanted.map(async (definition) => {
    const live = await cluster.read(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${keyOf(definition).name}`)
    return { wanted: definition, live, isTheirs: live.kind === 'found' && !isOurs(definition, live.object) }
  }))
  const theirs = read.filter(({ isTheirs }) => isTheirs)
  const ours = read.filter(({ isTheirs, live }) => live.kind === 'found' && !isTheirs)
  const isReplaceable = theirs.length === 0 && read.every(({ live }) => live.kind !== 'failed')
  const results = read.map((definition) => definitionResult(definition, isReplaceable))
  return theirs.length === 0 || ours.length === 0 ? results : [...results, mixedResult(ours, theirs)]
}

interface Definition {
  readonly wanted: JsonObject
  readonly live: ReadResult
  /** Whether it is an operator's. */
  readonly isTheirs: boolean
}

/** Whether a definition is of this program, in any version: the descriptions of its spec or status are. */
function isOurs (wanted: JsonObject, live: JsonObject): boolean {
  return ['spec', 'status'].some((part) => {
    const [ours, found] = [wanted, live].map((definition) => ownString(schemaOf(definition, part), 'description'))
    return ours === found && ours !== ''
  })
}

/** The schema of a field of the stored version. */
function schemaOf (definition: JsonObject, ...path: readonly string[]): JsonObject {
  const version = ownObjects(ownObject(definition, 'spec'), 'versions').find(({ storage }) => storage === true) ?? {}
  const root = ownObject(ownObject(version, 'schema'), 'openAPIV3Schema')
  return path.reduce((schema, field) => ownObject(ownObject(schema, 'properties'), field), root)
}

function definitionResult ({ wanted, live, isTheirs }: Definition, isReplaceable: boolean): CheckResult {
  const about = { check: 'definitions', subject: titleOf(wanted) } as const
  if (live.kind === 'failed') return { ...about, kind: 'unknown', what: live.reason }
  const problem = live.kind === 'missing'
    ? 'is missing, so no such object can be stored'
    : isTheirs ? establishedProblem(live.object) : definitionProblem(wanted, live.object)
  if (problem !== undefined) {
    const remedy = isReplaceable ? hasMoreFields(wanted, live) && NEWER : 'apply the definitions of the operator again'
    return remedy === false
      ? { ...about, kind: 'problem', what: problem, fix: CRD_FIX }
      : { ...about, kind: 'problem', what: `${problem}; ${remedy}` }
  }
  return isTheirs && live.kind === 'found'
    ? { ...about, kind: 'note', what: `is an operator's, ${consequence(wanted, live.object)}` }
    : { ...about, kind: 'ok', what: 'is served, in this version of the program' }
}

const NEWER = 'it has fields that this version lacks, so use the doctor of the version that it comes from'

/** Whether the wanted definition would drop fields: the live one is of a later version. */
function hasMoreFields (wanted: JsonObject, live: ReadResult): boolean {
  return live.kind === 'found' && compare(ownObject(live.object, 'spec'), ownObject(wanted, 'spec')).patch
    .some(({ op, path }) => op === 'remove' && /\/properties\/[^/]+$/.test(String(path)))
}

/** What follows for the program from a definition of an operator. */
function consequence (wanted: JsonObject, live: JsonObject): string {
  if (ownString(ownObject(ownObject(wanted, 'spec'), 'names'), 'kind') === 'AIMService') {
    const where = hasField(live, 'resolvedRuntimeConfig')
      ? 'with the field spec.resolvedRuntimeConfig: results are recorded there'
      : `without the field spec.resolvedRuntimeConfig: results are recorded in annotation ${BLOCK_ANNOTATION}`
    return `${where}; the operator acts on the fields that --inject record,fields fills`
  }
  const hasStatus = ownObjects(ownObject(live, 'spec'), 'versions')
    .some((version) => version['storage'] === true && 'status' in ownObject(version, 'subresources'))
  return hasStatus && 'services' in ownObject(schemaOf(live, 'status'), 'properties')
    ? 'with the status of this program: rollouts are recorded there'
    : 'without the status of this program: events and metrics show rollouts'
}

function hasField (definition: JsonObject, field: string): boolean {
  const spec = schemaOf(definition, 'spec')
  return Object.hasOwn(ownObject(spec, 'properties'), field) || spec['x-kubernetes-preserve-unknown-fields'] === true
}

/** Each side's next apply replaces the definitions of the other. */
function mixedResult (ours: readonly Definition[], theirs: readonly Definition[]): CheckResult {
  const names = (definitions: readonly Definition[]): string =>
    definitions.map(({ wanted }) => keyOf(wanted).name.split('.')[0]).join(', ')
  return {
    check: 'definitions',
    kind: 'note',
    subject: 'the three definitions',
    what: `are of two programs (${names(ours)}: this one; ${names(theirs)}: an operator), and the last apply of ` +
      'either wins: beside an operator, install this program without definitions (chart value definitions=operator)'
  }
}

function definitionProblem (wanted: JsonObject, live: JsonObject): string | undefined {
  const spec = { ...ownObject(wanted, 'spec'), conversion: { strategy: 'None' } }
  const { texts: [first, ...more] } = compare(ownObject(live, 'spec'), spec)
  if (first !== undefined) {
    return `differs from this version of the program: ${first}${more.length === 0 ? '' : `, and ${more.length} more`}`
  }
  return establishedProblem(live)
}

function establishedProblem (live: JsonObject): string | undefined {
  const established = ownObjects(ownObject(live, 'status'), 'conditions')
    .some(({ type, status }) => type === 'Established' && status === 'True')
  return established ? undefined : 'is not established'
}

/** A webhook configuration as the program prints it, and as the cluster has it. */
export interface LiveConfiguration { readonly wanted: JsonObject, readonly live: ReadResult }

/** Path of an object of admissionregistration.k8s.io/v1. */
export function registrationPath (object: JsonObject): string {
  const plural = `${ownString(object, 'kind').toLowerCase().replace(/y$/, 'ie')}s`
  return `/apis/admissionregistration.k8s.io/v1/${plural}/${keyOf(object).name}`
}

/** Whether the policy that limits the rights of the program, and its binding, are those that the program prints. */
export async function checkPolicy (
  wanted: readonly JsonObject[], { cluster, fix, isOutside }: AccessCheckOptions
): Promise<CheckResult[]> {
  if (isOutside) return []
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
    : { ...about, kind: 'problem', what: texts.join('; '), details: texts, fix: patchCommand(wanted, patch) }
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
export function compare (live: JsonObject, wanted: JsonObject, root = ''): Comparison {
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
  const target = `${ownString(object, 'kind').toLowerCase()} ${shellWord(keyOf(object).name)}`
  return `kubectl patch ${target} --type=json -p ${shellWord(escapeJson(JSON.stringify(operations)))}`
}

export function titleOf (object: JsonObject): string {
  return `${ownString(object, 'kind')} ${keyOf(object).name}`
}
