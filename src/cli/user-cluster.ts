import { homedir } from 'node:os'
import path from 'node:path'
import { Option } from 'commander'
import type { Log } from '../core/ports.ts'
import { connectToCluster, type SendRequest } from '../kube/client/api-connection.ts'
import { loadKubeConfig } from '../kube/client/kube-config.ts'
import { environmentVariable } from './flags/options.ts'

export interface ClusterFlags {
  readonly kubeconfig?: string
  readonly context?: string
}

/** The flags by which people choose a cluster. */
export function clusterFlags (what: string): Option[] {
  return [
    new Option('--kubeconfig <file>', what).env(environmentVariable('KUBECONFIG')),
    new Option('--context <name>', 'context of the kubeconfig file, in place of its current one; without --kubeconfig the file is kubectl\'s')
      .env(environmentVariable('CONTEXT'))
  ]
}

/** Is given the way to the API server, and the namespace that the context says, or `default`. */
type ClusterWork<T> = (request: SendRequest, about: { readonly namespace: string }) => Promise<T>

/**
 * Works with a cluster as kubectl would: by the file given, else those of KUBECONFIG, else `~/.kube/config`. Rejects
 * with one line where there is none.
 */
export async function withCluster<T> ({ kubeconfig, context }: ClusterFlags, work: ClusterWork<T>): Promise<T> {
  const file = kubeconfig ?? kubectlFiles()
  const connection = await connectToCluster({ kubeconfig: file, context, log: SILENT })
  try {
    return await work(connection.request, await loadKubeConfig({ file, context }))
  } finally {
    await connection.close()
  }
}

function kubectlFiles (): string[] {
  const files = (process.env['KUBECONFIG'] ?? '').split(path.delimiter).filter((file) => file !== '')
  return files.length > 0 ? files : [path.join(homedir(), '.kube', 'config')]
}

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
