import { KINDS, type Kind } from '../../../api/kinds.ts'
import { API_VERSION, GROUP, PREFIX } from '../../../api/meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import { nameOf } from './check-objects.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { shellWord, type CheckResult } from './format.ts'

/** What earlier versions used for break-glass. Today it has no effect on admission. */
const OLD_NAME = 'aim-admission-bypass'
const OLD_ANNOTATION = `${PREFIX}/bypass`

const POLICIES = '/apis/admissionregistration.k8s.io/v1'
const RBAC = '/apis/rbac.authorization.k8s.io/v1'

const OLD_OBJECTS = {
  ValidatingAdmissionPolicyBinding: `${POLICIES}/validatingadmissionpolicybindings/${OLD_NAME}`,
  ValidatingAdmissionPolicy: `${POLICIES}/validatingadmissionpolicies/${OLD_NAME}`,
  ClusterRole: `${RBAC}/clusterroles/${OLD_NAME}`
}
const BINDINGS = { ClusterRoleBinding: `${RBAC}/clusterrolebindings`, RoleBinding: `${RBAC}/rolebindings` }

const check = 'leftovers'

/** What an upgrade leaves behind: a role that still looks like a right, and a policy that still reports bypasses. */
export async function checkLeftovers (cluster: ClusterReader): Promise<CheckResult[]> {
  const results = await Promise.all([
    ...Object.entries(OLD_OBJECTS).map(async ([kind, path]) => oldObject(kind, await cluster.read(path))),
    ...Object.entries(BINDINGS).map(async ([kind, path]) => oldBindings(kind, await cluster.read(path))),
    ...KINDS.map(async (kind) => annotated(kind, await annotatedObjects(kind, cluster)))
  ])
  const found = results.flat()
  if (found.length > 0) return found
  return [{ check, kind: 'ok', subject: 'the cluster', what: 'has nothing of earlier versions' }]
}

function unknown (subject: string, result: ReadResult): CheckResult[] {
  return result.kind === 'failed' ? [{ check, kind: 'unknown', subject, what: result.reason }] : []
}

function oldObject (kind: string, result: ReadResult): CheckResult[] {
  const subject = `${kind} ${OLD_NAME}`
  if (result.kind !== 'found') return unknown(subject, result)
  const fix = kubectl('delete', kind, result.object)
  return [{ check, kind: 'problem', subject, what: 'is of an earlier version', fix }]
}

function oldBindings (kind: string, result: ReadResult): CheckResult[] {
  if (result.kind !== 'found') return unknown(`every ${kind}`, result)
  const bindings = ownObjects(result.object, 'items').filter((binding) => {
    const { kind, name } = ownObject(binding, 'roleRef')
    return kind === 'ClusterRole' && name === OLD_NAME
  })
  return bindings.map((binding) => ({
    check,
    kind: 'problem',
    subject: `${kind} ${fullName(binding)}`,
    what: `grants ClusterRole ${OLD_NAME} of an earlier version`,
    fix: kubectl('delete', kind, binding)
  }))
}

/** Objects listed in the output, for each kind: a tenant can create any number of them. */
const MAX_LISTED = 20

/** Notes, no problems: every tenant can set the annotation. */
function annotated ({ kind, plural }: Kind, result: ReadResult): CheckResult[] {
  if (result.kind !== 'found') return unknown(`every ${kind}`, result)
  const objects = ownObjects(result.object, 'items')
  const what = `has the annotation ${OLD_ANNOTATION}, which has no effect`
  const notes = objects.slice(0, MAX_LISTED).map((object): CheckResult => ({
    check,
    kind: 'note',
    subject: `${kind} ${fullName(object)}`,
    what,
    fix: `${kubectl('annotate', `${plural}.${GROUP}`, object)} ${OLD_ANNOTATION}-`
  }))
  const more = objects.length - notes.length
  return more === 0 ? notes : [...notes, { check, kind: 'note', subject: `${more} more of kind ${kind}`, what }]
}

async function annotatedObjects ({ plural }: Kind, cluster: ClusterReader): Promise<ReadResult> {
  const items: JsonObject[] = []
  let next = ''
  do {
    const page = await cluster.readMetadata(`/apis/${API_VERSION}/${plural}`, next)
    if (page.kind !== 'found') return page
    items.push(...ownObjects(page.object, 'items').filter((object) =>
      OLD_ANNOTATION in ownObject(ownObject(object, 'metadata'), 'annotations')))
    next = ownString(ownObject(page.object, 'metadata'), 'continue')
  } while (next !== '')
  return { kind: 'found', object: { items } }
}

function fullName (object: JsonObject): string {
  const namespace = ownString(ownObject(object, 'metadata'), 'namespace')
  return `${namespace === '' ? '' : `${namespace}/`}${nameOf(object)}`
}

/** A command about one object. The slash keeps a name that starts with a dash from being a flag. */
function kubectl (verb: string, kind: string, object: JsonObject): string {
  const namespace = ownString(ownObject(object, 'metadata'), 'namespace')
  const where = namespace === '' ? '' : ` -n ${shellWord(namespace)}`
  return `kubectl${where} ${verb} ${shellWord(`${kind.toLowerCase()}/${nameOf(object)}`)}`
}
