import { caBundlePolicy } from '../../../../webhooks/ca-bundle-policy.ts'
import { BREAK_GLASS_USER, CONFIGURATION_NAME } from '../../../../webhooks/webhook-configurations.ts'
import { AIM_SERVICE, KINDS } from '../../../api/kinds.ts'
import { GROUP } from '../../../api/meta.ts'
import { LEASE_NAME } from '../../../app/settings.ts'
import type { JsonObject } from '../../../platform/json.ts'
import { CERT_SECRET, type CertificateSource } from '../../flags/certificates.ts'

/** Source: rbac.authorization.k8s.io/v1, PolicyRule. */
interface AccessRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** The rights of one process in the whole cluster, and in its own namespace. */
interface Access {
  /** Of the service account and its roles. */
  readonly name: string
  readonly clusterRules: readonly AccessRule[]
  readonly namespaceRules: readonly AccessRule[]
}

const READ: AccessRule = { apiGroups: [GROUP], resources: KINDS.map(({ plural }) => plural), verbs: ['list', 'watch'] }

const SERVE_ACCESS: Access = { name: 'aim-admission', clusterRules: [READ], namespaceRules: [] }

/** Certificates, their trust, and the addresses of replicas that serve them. RBAC cannot limit `create` to a name. */
const SELF_MANAGED_ACCESS: Access = {
  ...SERVE_ACCESS,
  clusterRules: [
    ...SERVE_ACCESS.clusterRules,
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      resourceNames: [CONFIGURATION_NAME],
      verbs: ['get', 'patch']
    }
  ],
  namespaceRules: [
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: [CERT_SECRET], verbs: ['get', 'update'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list'] }
  ]
}

/** Caches, rollouts, status, events, the Lease, and the end-to-end probe. */
const RECONCILE_ACCESS: Access = {
  name: 'aim-admission-reconcile',
  clusterRules: [
    READ,
    {
      apiGroups: [GROUP],
      resources: [AIM_SERVICE.plural, ...KINDS.map(({ plural }) => `${plural}/status`)],
      verbs: ['patch']
    },
    // the end-to-end probe: dry runs only, which RBAC does not distinguish
    { apiGroups: [GROUP], resources: [AIM_SERVICE.plural], verbs: ['create'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }
  ],
  namespaceRules: [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [LEASE_NAME], verbs: ['get', 'update'] }
  ]
}

export interface AccessOptions {
  /** The program's own. */
  readonly namespace: string
  /** Where the serving pair comes from; only the self-managed one needs rights. */
  readonly certificates: CertificateSource
}

/**
 * The service accounts of `serve` and `reconcile` with their rights, the roles of break-glass, and the policy that
 * limits `serve`. The command `serve --with-reconciler` needs the rights of both.
 */
export function accessManifests ({ namespace, certificates }: AccessOptions): JsonObject[] {
  const isSelfManaged = certificates === 'self-managed'
  const serve = isSelfManaged ? SELF_MANAGED_ACCESS : SERVE_ACCESS
  return [
    ...[serve, RECONCILE_ACCESS].flatMap((access) => manifestsOf(access, namespace)),
    ...breakGlass(),
    ...(isSelfManaged ? caBundlePolicy({ namespace, name: serve.name }) : [])
  ]
}

function manifestsOf ({ name, clusterRules, namespaceRules }: Access, namespace: string): JsonObject[] {
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const metadata = { name, namespace }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    ...boundClusterRole({ name, rules: clusterRules, subjects }),
    ...(namespaceRules.length === 0
      ? []
      : [
          { apiVersion, kind: 'Role', metadata, rules: namespaceRules },
          { apiVersion, kind: 'RoleBinding', metadata, roleRef: { apiGroup, kind: 'Role', name }, subjects }
        ])
  ]
}

const apiGroup = 'rbac.authorization.k8s.io'
const apiVersion = `${apiGroup}/v1`

interface BoundRole { readonly name: string, readonly rules: readonly AccessRule[], readonly subjects: JsonObject[] }

function boundClusterRole ({ name, rules, subjects }: BoundRole): JsonObject[] {
  const metadata = { name }
  return [
    { apiVersion, kind: 'ClusterRole', metadata, rules },
    { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef: { apiGroup, kind: 'ClusterRole', name }, subjects }
  ]
}

/** A role to impersonate the break-glass user, bound to no subject, and the rights of that user. */
function breakGlass (): JsonObject[] {
  const name = 'aim-admission-break-glass'
  const user = { apiGroups: [''], resources: ['users'], resourceNames: [BREAK_GLASS_USER] }
  const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']
  return [
    { apiVersion, kind: 'ClusterRole', metadata: { name }, rules: [{ ...user, verbs: ['impersonate'] }] },
    ...boundClusterRole({
      name: `${name}-user`,
      rules: [{ ...READ, verbs }],
      subjects: [{ apiGroup, kind: 'User', name: BREAK_GLASS_USER }]
    })
  ]
}
