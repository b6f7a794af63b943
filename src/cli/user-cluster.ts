import { homedir } from 'node:os'
import path from 'node:path'
import type { Option } from 'commander'
import type { Log } from '../core/ports.ts'
import { connectToCluster, type ApiConnection } from '../kube/client/api-connection.ts'
import { flag } from './flags/read-flags.ts'

export interface ClusterFlags {
  readonly kubeconfig?: string
  readonly context?: string
}

export function clusterFlags (description: string): Option[] {
  return [
    flag('--kubeconfig <file>', description),
    flag('--context <name>', 'context of the kubeconfig, or without --kubeconfig of that of kubectl')
  ]
}

/**
 * Works with the cluster that kubectl would use: of the given kubeconfig, of KUBECONFIG, or of `~/.kube/config`.
 * Rejects with one line if no file exists.
 */
export async function withCluster<T> (
  { kubeconfig, context }: ClusterFlags, work: (connection: ApiConnection) => Promise<T>
): Promise<T> {
  const connection = await connectToCluster({ kubeconfig: kubeconfig ?? kubectlFiles(), context, log: SILENT })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

function kubectlFiles (): string[] {
  const files = (process.env['KUBECONFIG'] ?? '').split(path.delimiter).filter((file) => file !== '')
  return files.length > 0 ? files : [path.join(homedir(), '.kube', 'config')]
}

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
