import type { JsonObject } from '../../../src/platform/json.ts'
import { manifest, type Parts } from '../builders/manifests.ts'
import { observationsOf } from '../cluster/observed.ts'
import { startCluster, type Cluster } from '../cluster/cluster.ts'
import type { TestUser } from '../cluster/control-plane.ts'
import { applied, startReconciler, type ReconcilerProcess } from '../programs/product.ts'
import { startReplicas } from '../programs/replicas.ts'
import { actorOf, type Actor } from './actor.ts'

export interface ArenaOptions {
  /** Replicas of `serve`; 2 by default. */
  readonly replicas?: number
  /** Flags of each replica of `serve`. */
  readonly serveFlags?: readonly string[]
}

/**
 * A cluster with the product and users. Users `mallory` and `victim` may write AIMServices and AIMRuntimeConfigs in
 * the namespaces `evil` and `victim` only. `platform` is a cluster-admin, and `onCall` has no rights. The reconciler
 * is not running yet.
 */
export async function startArena ({ replicas: count = 2, serveFlags = [] }: ArenaOptions = {}) {
  const cluster = await startCluster()
  const replicas = await startReplicas(cluster, { count, flags: serveFlags, delay: { min: 1, max: 50 } })
  await applied(cluster.kubectl, rights())
  const users = {
    mallory: await newActor(cluster, 'mallory'),
    victim: await newActor(cluster, 'victim'),
    platform: await newActor(cluster, 'platform'),
    onCall: await newActor(cluster, 'bound')
  }
  const reconcilers: ReconcilerProcess[] = []
  return {
    cluster,
    replicas,
    ...users,
    ...observationsOf(cluster),
    /** Another user, without rights. */
    bound: async (): Promise<Actor> => await newActor(cluster, 'bound'),
    /** Starts a reconciler, which leads if no other one does. */
    startReconciler: async (
      flags: readonly string[] = [], user: TestUser = 'replica-a'
    ): Promise<ReconcilerProcess> => {
      const kubeconfig = await cluster.kubeconfigOf(user)
      const reconciler = await startReconciler({ client: cluster.client, kubeconfig }, flags)
      reconcilers.push(reconciler)
      return reconciler
    },
    stop: async (): Promise<void> => {
      await Promise.all(reconcilers.map(async (reconciler) => await reconciler.stop('SIGKILL')))
      await replicas.stop()
      await Promise.all(Object.values(users).map(async (actor) => { await actor.close() }))
      await cluster.stop()
    }
  }
}

async function newActor (cluster: Cluster, user: TestUser): Promise<Actor> {
  return actorOf(cluster, { user, kubeconfig: await cluster.kubeconfigOf(user) })
}

/** The namespaces and roles of the tenants, as a List. */
function rights (): string {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const apiGroup = 'rbac.authorization.k8s.io'
  const items = ['evil', 'victim'].flatMap((namespace) => [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion,
      kind: 'Role',
      metadata: { name: 'tenant', namespace },
      rules: [{
        apiGroups: ['aim.silogen.ai'],
        resources: ['aimservices', 'aimruntimeconfigs'],
        verbs: ['get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection']
      }]
    },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: 'tenant', namespace },
      roleRef: { apiGroup, kind: 'Role', name: 'tenant' },
      subjects: [{ apiGroup, kind: 'User', name: namespace === 'evil' ? 'mallory' : 'victim' }]
    }
  ])
  const platform = {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'platform' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup, kind: 'User', name: 'platform' }]
  }
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...items, platform] })
}

/** A manifest as an object. */
export function aManifest (parts: Parts): JsonObject {
  return JSON.parse(manifest(parts)) as JsonObject // as built
}

/** A sample of a metric in the text format of Prometheus; undefined if it does not exist. `labels` as printed. */
export async function metricAt (probeUrl: string, name: string, labels = ''): Promise<number | undefined> {
  const text = await (await fetch(`${probeUrl}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${name}${labels} `) ||
    (labels === '' && each.startsWith(`${name}{`)))
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')))
}
