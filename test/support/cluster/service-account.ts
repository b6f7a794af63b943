import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Cluster } from './cluster.ts'

/** The cluster with a kubeconfig of a service account in `aim-system`. kubectl stays administrator. */
export async function asServiceAccount (cluster: Cluster, name: string): Promise<Cluster> {
  // the test cluster writes JSON
  const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as {
    users: [{ user: object }], contexts: [{ context: object }]
  }
  const [[{ user, ...named }], [{ context, ...namedContext }]] = [kubeconfig.users, kubeconfig.contexts]
  const file = path.join(cluster.dir, `kubeconfig-${name}`)
  const as = `system:serviceaccount:aim-system:${name}`
  await writeFile(file, JSON.stringify({
    ...kubeconfig,
    users: [{ ...named, user: { ...user, as } }],
    contexts: [{ ...namedContext, context: { ...context, namespace: 'aim-system' } }]
  }))
  return { ...cluster, kubeconfig: file }
}
