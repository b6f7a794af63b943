import { homedir } from 'node:os'
import path from 'node:path'
import type { Option } from 'commander'
import { DEFAULT_NAMESPACE } from '../api/meta.ts'
import type { Log } from '../core/ports.ts'
import { connectToCluster, type ApiConnection } from '../kube/client/api-connection.ts'
import { contextNamespace } from '../kube/client/kube-config.ts'
import { flag } from './flags/read-flags.ts'

export interface ClusterFlags {
  readonly kubeconfig?: string
  readonly context?: string
  /** Of the objects. */
  readonly namespace?: string
}

export function clusterFlags (description: string): Option[] {
  return [flag('--kubeconfig <file>', description), flag('--context <name>', 'context of the kubeconfig')]
}

/** The variable of `--namespace` is that of the program's own namespace. */
export function objectNamespaceFlag (description: string): Option {
  return flag('-n, --namespace <name>', description).env('AIM_ADMISSION_OBJECT_NAMESPACE')
}

/**
 * The namespace of manifests without one, as for kubectl: of the flag, of the context, or of the pod. A kubeconfig that
 * cannot be read has none: not every command needs one, and its use reports the reason.
 */
export function manifestNamespace ({ namespace = '', kubeconfig, context }: ClusterFlags): string {
  if (namespace !== '') return namespace
  try {
    return contextNamespace({ file: kubeconfig ?? kubectlFiles(), context })
  } catch {
    return DEFAULT_NAMESPACE
  }
}

/** Works with the cluster that kubectl would use, or that of this pod. Rejects with one line without one. */
export async function withCluster<T> (
  { kubeconfig, context }: ClusterFlags, work: (connection: ApiConnection) => Promise<T>, log = SILENT
): Promise<T> {
  const connection = await connectToCluster({ kubeconfig: kubeconfig ?? kubectlFiles(), context, log })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

/** A relative path in KUBECONFIG starts from the working directory. */
function kubectlFiles (): string[] {
  const files = (process.env['KUBECONFIG'] ?? '').split(path.delimiter).filter((file) => file !== '')
  return files.length > 0 ? files : [path.join(homedir(), '.kube', 'config')]
}

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
