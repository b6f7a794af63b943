import { KINDS } from '../api/kinds.ts'
import { GROUP } from '../api/meta.ts'
import type { JsonObject } from '../api/meta.ts'

/** What `serve` may do in a cluster, for its service account in the given namespace: read the three kinds, nothing else. */
export function accessManifests (namespace: string): JsonObject[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace } },
    {
      apiVersion,
      kind: 'ClusterRole',
      metadata: { name: NAME },
      rules: [{ apiGroups: [GROUP], resources: KINDS.map(({ plural }) => plural), verbs: ['get', 'list', 'watch'] }]
    },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: NAME },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace }]
    }
  ]
}

const NAME = 'aim-admission'
