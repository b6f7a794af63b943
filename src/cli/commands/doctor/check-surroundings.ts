import { KINDS, type Kind } from '../../../api/kinds.ts'
import { GROUP, PREFIX } from '../../../api/meta.ts'
import { annotationsOf, fullName, keyOf } from '../../../api/object-meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { collectionPath } from '../../../kube/objects/list-objects.ts'
import { ownObject, ownObjects, ownString, ownStrings, type JsonObject } from '../../../platform/json.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { shellWord, type CheckResult } from './format.ts'

/** The oldest minor version of Kubernetes 1 on which the program is tested; the chart requires it as well. */
export const OLDEST_MINOR = 31

/** Whether the API server is not older than the program supports. */
export async function checkVersion (cluster: Pick<ClusterReader, 'read'>): Promise<CheckResult> {
  const about = { check: 'version', subject: 'the API server' } as const
  const live = await cluster.read('/version')
  if (live.kind !== 'found') {
    return { ...about, kind: 'unknown', what: live.kind === 'failed' ? live.reason : 'reports no version' }
  }
  const [major, minor] = ['major', 'minor'].map((name) => Number.parseInt(ownString(live.object, name), 10))
  const version = ownString(live.object, 'gitVersion')
  if (major === undefined || minor === undefined || Number.isNaN(major + minor)) {
    return { ...about, kind: 'unknown', what: `reports no version that can be compared: ${version}` }
  }
  return major > 1 || minor >= OLDEST_MINOR
    ? { ...about, kind: 'ok', what: `is Kubernetes ${version}` }
    : { ...about, kind: 'problem', what: `is Kubernetes ${version}; upgrade it to 1.${OLDEST_MINOR} or later` }
}

/** Which other webhooks are called for our kinds: they can explain a change or a refusal. */
export async function checkOtherWebhooks (ours: string, cluster: ClusterReader): Promise<CheckResult[]> {
  const kinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const
  const results = await Promise.all(kinds.map(async (kind) => {
    const list = await cluster.read(`/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s`)
    return otherWebhookResults(kind, list, ours)
  }))
  return results.flat()
}

function otherWebhookResults (kind: string, list: ReadResult, ours: string): CheckResult[] {
  const check = 'other-webhooks'
  if (list.kind !== 'found') {
    const what = list.kind === 'failed' ? list.reason : 'this kind does not exist'
    return [{ check, kind: 'unknown', subject: `every ${kind}`, what }]
  }
  const others = ownObjects(list.object, 'items').filter((item) => keyOf(item).name !== ours)
  const notes = others.flatMap((configuration) =>
    ownObjects(configuration, 'webhooks').filter(matchesOurKinds).map((webhook): CheckResult => ({
      check,
      kind: 'note',
      subject: `${kind} ${keyOf(configuration).name}, ${ownString(webhook, 'name')}`,
      what: `is called for these kinds too, with failurePolicy ${ownString(webhook, 'failurePolicy')}`
    })))
  if (notes.length > 0) return notes
  return [{ check, kind: 'ok', subject: `every other ${kind}`, what: 'is not called for these kinds' }]
}

/** Source: admissionregistration.k8s.io/v1, RuleWithOperations. */
function matchesOurKinds (webhook: JsonObject): boolean {
  const resources = ['*', '*/*', ...KINDS.map(({ plural }) => plural)]
  return ownObjects(webhook, 'rules').some((rule) =>
    ownStrings(rule, 'apiGroups').some((group) => ['*', GROUP].includes(group)) &&
    ownStrings(rule, 'resources').some((resource) => resources.includes(resource)))
}

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
    subject: `${kind} ${fullName(keyOf(binding))}`,
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
    subject: `${kind} ${fullName(keyOf(object))}`,
    what,
    fix: `${kubectl('annotate', `${plural}.${GROUP}`, object)} ${OLD_ANNOTATION}-`
  }))
  const more = objects.length - notes.length
  return more === 0 ? notes : [...notes, { check, kind: 'note', subject: `${more} more of kind ${kind}`, what }]
}

async function annotatedObjects (kind: Kind, cluster: ClusterReader): Promise<ReadResult> {
  const items: JsonObject[] = []
  let next = ''
  do {
    const page = await cluster.readMetadata(collectionPath(kind, ''), next)
    if (page.kind !== 'found') return page
    items.push(...ownObjects(page.object, 'items').filter((object) => OLD_ANNOTATION in annotationsOf(object)))
    next = ownString(ownObject(page.object, 'metadata'), 'continue')
  } while (next !== '')
  return { kind: 'found', object: { items } }
}

/** A command about one object. The slash keeps a name that starts with a dash from being a flag. */
function kubectl (verb: string, kind: string, object: JsonObject): string {
  const { namespace, name } = keyOf(object)
  const where = namespace === '' ? '' : ` -n ${shellWord(namespace)}`
  return `kubectl${where} ${verb} ${shellWord(`${kind.toLowerCase()}/${name}`)}`
}
