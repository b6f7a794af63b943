import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Cluster } from './cluster.ts'

/**
 * The cluster as a user with nothing but the rights of a service account of `aim-system` sees it. kubectl keeps its
 * own.
 */
export async function asServiceAccount (cluster: Cluster, name: string): Promise<Cluster> {
  // by the test base, as JSON
  const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as { users: [{ user: object }] }
  const [{ user, ...named }] = kubeconfig.users
  const file = path.join(cluster.dir, `kubeconfig-${name}`)
  const as = `system:serviceaccount:aim-system:${name}`
  await writeFile(file, JSON.stringify({ ...kubeconfig, users: [{ ...named, user: { ...user, as } }] }))
  return { ...cluster, kubeconfig: file }
}
