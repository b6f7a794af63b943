import { readFileSync } from 'node:fs'
import { registerHooks, type LoadHookSync, type ResolveHookSync } from 'node:module'
import { dirname, resolve } from 'node:path'
import type { Cluster, KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { errorMessage } from '../../platform/error-message.ts'
import { isJsonObject, ownObject, ownObjects, ownString } from '../../platform/json.ts'

/** Which cluster, and as which user. */
export interface KubeConfigChoice {
  /** The pod's own cluster if undefined. Several files are merged as kubectl merges those of KUBECONFIG. */
  readonly file: string | readonly string[] | undefined
  /** Overrides the current context of the files. */
  readonly context?: string | undefined
}

export interface LoadedKubeConfig {
  readonly config: KubeConfig
  readonly cluster: Cluster
  /** The namespace of the context, or `default`. */
  readonly namespace: string
}

/** Loads client-node on first use. Throws a one-line error if no cluster can be determined. */
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
  if (context !== undefined) selectContext(config, context)
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    throw new Error(`kubeconfig ${String(file)} names no cluster: its current-context is ` +
      `${JSON.stringify(config.currentContext)}; select one with kubectl config use-context`)
  }
  return { config, cluster, namespace: config.getContextObject(config.currentContext)?.namespace ?? 'default' }
}

function selectContext (config: KubeConfig, context: string): void {
  const known = config.getContexts().map(({ name }) => name)
  if (!known.includes(context)) {
    const contexts = known.length === 0 ? 'it has no contexts' : `its contexts are ${known.join(', ')}`
    throw new Error(`the kubeconfig has no context ${JSON.stringify(context)}; ${contexts}`)
  }
  config.setCurrentContext(context)
}

function loadFromPod (config: KubeConfig): void {
  if (process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set, so this process is not in a pod; pass --kubeconfig')
  }
  config.loadFromCluster()
}

function loadFromFile (config: KubeConfig, file: string): void {
  try {
    config.loadFromFile(file)
    useTokenFiles(config, file)
  } catch (error) {
    throw new Error(`failed to read kubeconfig ${file}: ${errorMessage(error)}`, { cause: error })
  }
}

/**
 * client-node reads `tokenFile` in a pod only. A token file overrides a token. Source: client-go, clientcmd AuthInfo.
 */
function useTokenFiles (config: KubeConfig, file: string): void {
  const kubeconfig: unknown = parse(readFileSync(file, 'utf8'))
  for (const user of ownObjects(isJsonObject(kubeconfig) ? kubeconfig : {}, 'users')) {
    const tokenFile = ownString(ownObject(user, 'user'), 'tokenFile')
    if (tokenFile === '') continue
    const authProvider = { name: 'tokenFile', config: { tokenFile: resolve(dirname(file), tokenFile) } }
    Object.assign(config.getUser(ownString(user, 'name')) ?? {}, { token: undefined, authProvider })
  }
}

/**
 * Loads client-node's kubeconfig reader without the models generated from the Kubernetes API, which take 80 MiB. The
 * reader needs them only to make typed clients, so a stub replaces them. If the package layout changes, all is loaded.
 */
export async function loadClient (): Promise<{ readonly KubeConfig: new () => KubeConfig }> {
  const hooks = registerHooks({ resolve: resolveStub, load: loadStub })
  try {
    return await import('@kubernetes/client-node/dist/config.js')
  } finally {
    hooks.deregister()
  }
}

const IMPORTER = '/@kubernetes/client-node/dist/config.js'
const GENERATED = './gen/index.js'
const STUB = '/gen/index.js?without-models'

const resolveStub: ResolveHookSync = (specifier, context, next) => {
  const { parentURL = '' } = context
  if (specifier !== GENERATED || !parentURL.endsWith(IMPORTER)) return next(specifier, context)
  return { url: new URL(`.${STUB}`, parentURL).href, format: 'module', shortCircuit: true }
}

const loadStub: LoadHookSync = (url, context, next) => {
  if (!url.endsWith(STUB)) return next(url, context)
  const source = `export { createConfiguration } from './configuration.js'
export { ServerConfiguration } from './servers.js'
`
  return { format: 'module', shortCircuit: true, source }
}
