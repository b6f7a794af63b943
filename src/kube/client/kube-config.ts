import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Cluster, KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { isJsonObject, ownObject, ownObjects, ownString } from '../../platform/json.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { loadClient } from './load-client.ts'

/** Which cluster, and as whom. */
export interface KubeConfigChoice {
  /** Without it the cluster that this pod runs in. Several are merged as kubectl merges those of KUBECONFIG. */
  readonly file: string | readonly string[] | undefined
  /** A context of the files in place of their current one. */
  readonly context?: string | undefined
}

export interface LoadedKubeConfig {
  readonly config: KubeConfig
  readonly cluster: Cluster
  /** What the context says, or `default`. */
  readonly namespace: string
}

/**
 * The cluster and user of a kubeconfig file's context, or, without a file, those that a pod is given.
 * Throws a one-line error where there is none.
 * client-node is loaded only once a cluster is asked for.
 */
export async function loadKubeConfig ({ file, context }: KubeConfigChoice): Promise<LoadedKubeConfig> {
  const { KubeConfig } = await loadClient()
  const config = new KubeConfig()
  const [first, ...more] = file === undefined ? [] : [file].flat()
  if (first === undefined) loadFromPod(config)
  else loadFromFile(config, first)
  for (const other of more) {
    const merged = new KubeConfig()
    loadFromFile(merged, other)
    config.mergeConfig(merged, config.currentContext !== '')
  }
  if (context !== undefined) choose(config, context)
  const cluster = config.getCurrentCluster()
  if (cluster !== null) { return { config, cluster, namespace: config.getContextObject(config.currentContext)?.namespace ?? 'default' } }
  throw new Error(
    `kubeconfig ${String(file)} names no cluster: its current-context is ${JSON.stringify(config.currentContext)}; choose one by kubectl config use-context`
  )
}

function choose (config: KubeConfig, context: string): void {
  const known = config.getContexts().map(({ name }) => name)
  if (!known.includes(context)) { throw new Error(`the kubeconfig has no context ${JSON.stringify(context)}; it has ${known.join(', ') || 'none'}`) }
  config.setCurrentContext(context)
}

function loadFromPod (config: KubeConfig): void {
  if (process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set, so this is no pod of one; elsewhere, name a kubeconfig file')
  }
  config.loadFromCluster()
}

function loadFromFile (config: KubeConfig, file: string): void {
  try {
    config.loadFromFile(file)
    useTokenFiles(config, file)
  } catch (error) {
    throw new Error(`kubeconfig ${file} cannot be read: ${errorMessage(error)}`, { cause: error })
  }
}

/**
 * client-node reads a user's `tokenFile` in a pod only. Source: client-go, clientcmd/api/v1 AuthInfo; a token file goes
 * before a token.
 */
function useTokenFiles (config: KubeConfig, file: string): void {
  for (const { name, tokenFile } of tokenFiles(parse(readFileSync(file, 'utf8')))) {
    const authProvider = { name: 'tokenFile', config: { tokenFile: resolve(dirname(file), tokenFile) } }
    Object.assign(config.getUser(name) ?? {}, { token: undefined, authProvider })
  }
}

function tokenFiles (kubeconfig: unknown): Array<{ name: string, tokenFile: string }> {
  return ownObjects(isJsonObject(kubeconfig) ? kubeconfig : {}, 'users')
    .map((user) => ({ name: ownString(user, 'name'), tokenFile: ownString(ownObject(user, 'user'), 'tokenFile') }))
    .filter(({ tokenFile }) => tokenFile !== '')
}
