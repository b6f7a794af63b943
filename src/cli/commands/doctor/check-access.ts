import { keyOf } from '../../../api/object-meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { own, ownObject, ownObjects, ownString, ownStrings, type JsonObject } from '../../../platform/json.ts'
import type { ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './format.ts'

/** A right that a service account or user needs. Source: authorization.k8s.io/v1, ResourceAttributes. */
export interface Permission {
  /** `system:serviceaccount:NAMESPACE:NAME`, or the name of a user. */
  readonly account: string
  readonly attributes: Readonly<Record<'verb' | 'group' | 'resource' | 'subresource' | 'name' | 'namespace', string>>
}

export interface AccessCheckOptions {
  readonly cluster: ClusterReader
  /** The command that creates what is missing. */
  readonly fix: string
  /** Whether the server acts as a user of its own: the service accounts are missing. */
  readonly isOutside: boolean
}

/** Whether the accounts have the rights of the access manifests, by any role: the API server decides. */
export async function checkAccess (
  manifests: readonly JsonObject[], { cluster, fix, isOutside }: AccessCheckOptions
): Promise<CheckResult[]> {
  const caller = await callerOf(cluster)
  const reviewed = await Promise.all(permissionsOf(manifests).map(async (permission) =>
    ({ permission, review: await reviewAccess(permission, { cluster, caller }) })))
  return [...Map.groupBy(reviewed, ({ permission }) => permission.account)]
    .map(([account, reviews]) => accessResult(account, reviews, { fix, isOutside }))
}

async function callerOf (cluster: ClusterReader): Promise<string> {
  const review = await cluster.review('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview'
  })
  return review.kind === 'found' ? ownString(ownObject(ownObject(review.object, 'status'), 'userInfo'), 'username') : ''
}

/** Every account may review its own access; that of others, only an administrator. */
async function reviewAccess (
  { account, attributes }: Permission, { cluster, caller }: { readonly cluster: ClusterReader, readonly caller: string }
): Promise<ReadResult> {
  const [kind, user] = account === caller
    ? ['SelfSubjectAccessReview', {}]
    : ['SubjectAccessReview', { user: account, groups: groupsOf(account) }]
  return await cluster.review(`/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, {
    apiVersion: 'authorization.k8s.io/v1', kind, spec: { ...user, resourceAttributes: attributes }
  })
}

/** Source: Kubernetes, "Service account tokens". */
function groupsOf (account: string): string[] {
  if (!account.startsWith(SERVICE_ACCOUNT)) return ['system:authenticated']
  return ['system:serviceaccounts', `system:serviceaccounts:${account.split(':')[2] ?? ''}`, 'system:authenticated']
}

const SERVICE_ACCOUNT = 'system:serviceaccount:'

interface ReviewedPermission { readonly permission: Permission, readonly review: ReadResult }

function accessResult (
  account: string, reviews: readonly ReviewedPermission[], { fix, isOutside }: Omit<AccessCheckOptions, 'cluster'>
): CheckResult {
  const subject = account.startsWith(SERVICE_ACCOUNT)
    ? account.replace(SERVICE_ACCOUNT, 'ServiceAccount ').replace(':', '/')
    : `User ${account}`
  const about = { check: 'access', subject } as const
  const failed = reviews.map(({ review }) => review).find(({ kind }) => kind !== 'found')
  if (failed !== undefined) {
    const what = failed.kind === 'failed' ? failed.reason : 'the API server does not support access reviews'
    return { ...about, kind: 'unknown', what }
  }
  const missing = reviews.filter(({ review }) =>
    review.kind === 'found' && own(ownObject(review.object, 'status'), 'allowed') !== true)
  if (missing.length === 0) return { ...about, kind: 'ok', what: `has the ${reviews.length} rights that it needs` }
  if (isOutside && account.startsWith(SERVICE_ACCOUNT)) {
    return { ...about, kind: 'note', what: 'does not exist: a server outside the cluster acts as a user of its own' }
  }
  if (isOutside) return { ...about, kind: 'note', what: 'has no rights, so break-glass is not set up', fix }
  const texts = missing.map(({ permission }) => permissionText(permission))
  const details = texts.map((text) => `may not ${text}`)
  return { ...about, kind: 'problem', what: `may not ${texts.join(', ')}`, details, fix }
}

function permissionText ({ attributes }: Permission): string {
  const { verb, group, resource, subresource, name, namespace } = attributes
  const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`
  return `${what}${name === '' ? '' : ` ${name}`}${namespace === '' ? '' : ` in ${namespace}`}`
}

/** Each right that the roles of the manifests grant to their subjects. */
export function permissionsOf (manifests: readonly JsonObject[]): Permission[] {
  const bindings = manifests.filter(({ kind }) => kind === 'ClusterRoleBinding' || kind === 'RoleBinding')
  return bindings.flatMap((binding) => {
    const { kind, name } = ownObject(binding, 'roleRef')
    const { namespace } = keyOf(binding)
    const role = manifests.find((manifest) => manifest['kind'] === kind && keyOf(manifest).name === name &&
      (kind === 'ClusterRole' || keyOf(manifest).namespace === namespace))
    const accounts = ownObjects(binding, 'subjects').map((subject) => {
      const name = ownString(subject, 'name')
      return subject['kind'] === 'User' ? name : `${SERVICE_ACCOUNT}${ownString(subject, 'namespace')}:${name}`
    })
    const rights = ownObjects(role ?? {}, 'rules').flatMap((rule) =>
      rightsOf(rule, binding['kind'] === 'RoleBinding' ? namespace : ''))
    return accounts.flatMap((account) => rights.map((attributes) => ({ account, attributes })))
  })
}

/** Source: rbac.authorization.k8s.io/v1, PolicyRule. */
function rightsOf (rule: JsonObject, namespace: string): Array<Permission['attributes']> {
  const names = ownStrings(rule, 'resourceNames')
  return ownStrings(rule, 'verbs').flatMap((verb) => ownStrings(rule, 'apiGroups').flatMap((group) =>
    ownStrings(rule, 'resources').flatMap((written) => {
      const [resource = '', subresource = ''] = written.split('/')
      return (names.length === 0 ? [''] : names).map((name) =>
        ({ verb, group, resource, subresource, name, namespace }))
    })))
}
