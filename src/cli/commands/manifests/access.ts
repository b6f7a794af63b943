import { CONFIGURATION_NAME } from '../../../../webhooks/webhook-configurations.ts'
import { AIM_SERVICE, KINDS } from '../../../api/kinds.ts'
import { GROUP } from '../../../api/meta.ts'
import { CERT_SECRET } from '../../flags/certificates.ts'
import { ELECTION } from '../../../app/reconciler.ts'
import type { JsonObject } from '../../../platform/json.ts'

/** One rule of a Role or ClusterRole. Source: rbac.authorization.k8s.io/v1, PolicyRule. */
export interface AccessRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** What one of the two processes may do: in the whole cluster, and in the namespace it runs in. */
export interface Access {
  /** Of the service account, and of the roles that are bound to it. */
  readonly name: string
  readonly clusterRules: readonly AccessRule[]
  readonly namespaceRules: readonly AccessRule[]
}

const READ: AccessRule = { apiGroups: [GROUP], resources: KINDS.map(({ plural }) => plural), verbs: ['list', 'watch'] }

/**
 * `serve`: reads the three kinds, keeps its certificates in one Secret, has its two webhook configurations trust them,
 * and finds its replicas. Nothing else. A create cannot be bound to a name.
 */
export const SERVE_ACCESS: Access = {
  name: 'aim-admission',
  clusterRules: [
    READ,
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

/**
 * `reconcile`: reads them too, has admission see services anew, probes it by a dry run, writes the status of all three,
 * tells events, and holds its Lease.
 */
export const RECONCILE_ACCESS: Access = {
  name: 'aim-admission-reconcile',
  clusterRules: [
    READ,
    {
      apiGroups: [GROUP],
      resources: [AIM_SERVICE.plural, ...KINDS.map(({ plural }) => `${plural}/status`)],
      verbs: ['patch']
    },
    { apiGroups: [GROUP], resources: [AIM_SERVICE.plural], verbs: ['create'] }, // the end-to-end probe, as a dry run alone; RBAC knows no difference
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }
  ],
  namespaceRules: [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [ELECTION], verbs: ['get', 'update'] }
  ]
}

/**
 * The service accounts of `serve` and `reconcile` in the given namespace, and what they may do in a cluster. `serve
 * --with-reconciler` needs both roles.
 */
export function accessManifests (namespace: string): JsonObject[] {
  return [SERVE_ACCESS, RECONCILE_ACCESS].flatMap((access) => manifestsOf(access, namespace))
}

function manifestsOf ({ name, clusterRules, namespaceRules }: Access, namespace: string): JsonObject[] {
  const account = { kind: 'ServiceAccount', name, namespace }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    { apiVersion: RBAC, kind: 'ClusterRole', metadata: { name }, rules: clusterRules },
    {
      apiVersion: RBAC,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: roleRef('ClusterRole', name),
      subjects: [account]
    },
    ...(namespaceRules.length === 0
      ? []
      : [
          { apiVersion: RBAC, kind: 'Role', metadata: { name, namespace }, rules: namespaceRules },
          {
            apiVersion: RBAC,
            kind: 'RoleBinding',
            metadata: { name, namespace },
            roleRef: roleRef('Role', name),
            subjects: [account]
          }
        ])
  ]
}

const RBAC = 'rbac.authorization.k8s.io/v1'

function roleRef (kind: 'ClusterRole' | 'Role', name: string): JsonObject {
  return { apiGroup: 'rbac.authorization.k8s.io', kind, name }
}
