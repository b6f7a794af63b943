import { own, ownObject, ownObjects, ownString, ownStrings, type JsonObject } from '../../../platform/json.ts'
import type { GetResult, ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './check-result.ts'

const CHECK = 'access'

/** What one service account is to be allowed. Source: authorization.k8s.io/v1, ResourceAttributes. */
export interface Permission {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly account: string
  readonly attributes: Readonly<Record<'verb' | 'group' | 'resource' | 'subresource' | 'name' | 'namespace', string>>
}

/**
 * Whether the service accounts may do what the access manifests give them; `mend` is the command that grants it. The
 * API server itself is asked, since it knows every way in which a right is given.
 */
export async function checkAccess (manifests: readonly JsonObject[], { cluster, mend }: { cluster: ClusterReader, mend: string }): Promise<CheckResult[]> {
  const caller = await callerOf(cluster)
  const permissions = permissionsOf(manifests)
  const asked = await Promise.all(
    permissions.map(async (permission) => ({ permission, answer: await isAllowed(permission, { cluster, caller }) }))
  )
  return [...Map.groupBy(asked, ({ permission }) => permission.account)].map(([account, answers]) =>
    accessFinding(account, answers, mend)
  )
}

async function callerOf (cluster: ClusterReader): Promise<string> {
  const answer = await cluster.ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview'
  })
  return answer.kind === 'found' ? ownString(ownObject(ownObject(answer.object, 'status'), 'userInfo'), 'username') : ''
}

/** A service account may ask about itself; only an administrator about another. */
async function isAllowed ({ account, attributes }: Permission, { cluster, caller }: { cluster: ClusterReader, caller: string }): Promise<GetResult> {
  const [kind, user] =
    account === caller
      ? ['SelfSubjectAccessReview', {}]
      : ['SubjectAccessReview', { user: account, groups: groupsOf(account) }]
  return await cluster.ask(`/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, {
    apiVersion: 'authorization.k8s.io/v1', kind, spec: { ...user, resourceAttributes: attributes }
  })
}

/** Those that the API server puts every service account in. Source: Kubernetes, "Service account tokens". */
function groupsOf (account: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${account.split(':')[2] ?? ''}`, 'system:authenticated']
}

function accessFinding (account: string, asked: ReadonlyArray<{ permission: Permission, answer: GetResult }>, mend: string): CheckResult {
  const subject = account.replace('system:serviceaccount:', 'ServiceAccount ').replace(':', '/')
  const refused = asked.map(({ answer }) => answer).find(({ kind }) => kind !== 'found')
  if (refused !== undefined) {
    return {
      check: CHECK,
      kind: 'unknown',
      subject,
      what: refused.kind === 'refused' ? refused.why : 'the API server does not answer such questions'
    }
  }
  const lacking = asked.filter(
    ({ answer }) => answer.kind === 'found' && own(ownObject(answer.object, 'status'), 'allowed') !== true
  )
  return lacking.length === 0
    ? { check: CHECK, kind: 'well', subject, what: `has the ${asked.length} rights that it needs` }
    : { check: CHECK, kind: 'problem', subject, what: `may not ${lacking.map(({ permission }) => permissionText(permission)).join(', ')}`, mend }
}

function permissionText ({ attributes: { verb, group, resource, subresource, name, namespace } }: Permission): string {
  const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`
  return `${what}${name === '' ? '' : ` ${name}`}${namespace === '' ? '' : ` in ${namespace}`}`
}

/** Every single right that roles of the manifests give to their service accounts. Pure. */
export function permissionsOf (manifests: readonly JsonObject[]): Permission[] {
  const bindings = manifests.filter(({ kind }) => kind === 'ClusterRoleBinding' || kind === 'RoleBinding')
  return bindings.flatMap((binding) => {
    const { kind, name } = ownObject(binding, 'roleRef')
    const namespace = ownString(ownObject(binding, 'metadata'), 'namespace')
    const role = manifests.find((manifest) => manifest['kind'] === kind && ownObject(manifest, 'metadata')['name'] === name &&
      (kind === 'ClusterRole' || ownObject(manifest, 'metadata')['namespace'] === namespace))
    const accounts = ownObjects(binding, 'subjects').map(
      (subject) => `system:serviceaccount:${ownString(subject, 'namespace')}:${ownString(subject, 'name')}`
    )
    const rights = ownObjects(role ?? {}, 'rules').flatMap((rule) =>
      rightsOf(rule, binding['kind'] === 'RoleBinding' ? namespace : '')
    )
    return accounts.flatMap((account) => rights.map((attributes) => ({ account, attributes })))
  })
}

/** A rule multiplied out. Source: rbac.authorization.k8s.io/v1, PolicyRule. */
function rightsOf (rule: JsonObject, namespace: string): Array<Permission['attributes']> {
  const names = ownStrings(rule, 'resourceNames')
  return ownStrings(rule, 'verbs').flatMap((verb) => ownStrings(rule, 'apiGroups').flatMap((group) => ownStrings(rule, 'resources').flatMap((written) => {
    const [resource = '', subresource = ''] = written.split('/')
    return (names.length === 0 ? [''] : names).map((name) => ({ verb, group, resource, subresource, name, namespace }))
  })))
}
