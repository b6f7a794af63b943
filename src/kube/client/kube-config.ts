import { accessSync, readFileSync } from 'node:fs'
import { registerHooks, type LoadHookSync, type ResolveHookSync } from 'node:module'
import type { Cluster, KubeConfig } from '@kubernetes/client-node'
import { ownObject, ownString, ownStrings, type JsonObject } from '../../platform/json.ts'
import { DEFAULT_NAMESPACE } from '../../api/meta.ts'
import { ExecPlugin } from './exec-plugin.ts'
import { selectContext, type SelectedContext } from './kube-config-files.ts'
import { proxyFromEnvironment } from './proxy.ts'

/** Which cluster, and as which user. */
export interface KubeConfigChoice {
  /**
   * The pod's own cluster if undefined. One file must exist. Of several, as in KUBECONFIG, missing ones are skipped;
   * if they name no cluster, the pod's own cluster is used.
   */
  readonly file: string | readonly string[] | undefined
  /** Overrides the current context of the files. */
  readonly context?: string | undefined
  /** Folder of the pod's credentials instead of the root folder. */
  readonly podRoot?: string
}

export interface LoadedKubeConfig {
  readonly config: KubeConfig
  readonly cluster: Cluster
  /** The namespace of the context, or `default`; in a pod, that of the pod. */
  readonly namespace: string
  /** Which user to act as. A header with several values is sent several times. */
  readonly impersonation: Readonly<Record<string, string | string[]>>
}

/** Loads what kubectl would use; client-node reads the selected cluster and user. Throws one line without a cluster. */
export async function loadKubeConfig ({ file, context, podRoot = '' }: KubeConfigChoice): Promise<LoadedKubeConfig> {
  const { KubeConfig } = await loadClient()
  const config = new KubeConfig()
  const selected = file === undefined ? undefined : selectContext(file, context)
  if (selected === undefined) {
    if (file !== undefined && !isInPod(podRoot)) {
      throw new Error(`kubeconfig ${[file].flat().join(', ')} names no cluster: its current-context is not set, or ` +
        'no file exists; select one with kubectl config use-context')
    }
    return loadFromPod(config, podRoot)
  }
  return loadSelected(config, selected)
}

/** The namespace that kubectl would use. Reads no credentials. */
export function contextNamespace ({ file = [], context, podRoot = '' }: KubeConfigChoice): string {
  const selected = selectContext(file, context)
  if (selected !== undefined) return selected.namespace || DEFAULT_NAMESPACE
  return isInPod(podRoot) ? podNamespace(podRoot) : DEFAULT_NAMESPACE
}

function loadSelected (
  config: KubeConfig, { name, server, cluster, user, namespace }: SelectedContext
): LoadedKubeConfig {
  const isSecure = server.startsWith('https:')
  const proxy = ownString(cluster, 'proxy-url') || proxyFromEnvironment(server, process.env)
  const reached = { ...cluster, server, ...(proxy !== '' && { 'proxy-url': proxy }) }
  // client-node refuses HTTP otherwise
  const plain = { 'insecure-skip-tls-verify': true, 'certificate-authority': undefined }
  config.loadFromString(JSON.stringify({
    clusters: [{ name: 'cluster', cluster: isSecure ? reached : { ...reached, ...plain } }],
    // client-go sends no credentials without TLS
    users: [{ name: 'user', user: isSecure ? clientNodeUser(user) : {} }],
    contexts: [{ name, context: { cluster: 'cluster', user: 'user', namespace } }],
    'current-context': name
  }))
  const loaded = config.getCurrentCluster() as Cluster // set above
  const exec = ownObject(user, 'exec')
  if (isSecure && Object.keys(exec).length > 0) config.addAuthenticator(new ExecPlugin(exec, loaded, cluster))
  const impersonation = impersonationHeaders(user)
  return { config, cluster: loaded, namespace: namespace || DEFAULT_NAMESPACE, impersonation }
}

/** A token file overrides a token. client-node reads token files in a pod only, as those of an auth provider. */
function clientNodeUser (user: JsonObject): JsonObject {
  const { exec, as, tokenFile, ...others } = user
  if (typeof tokenFile !== 'string' || tokenFile === '') return others
  return { ...others, token: undefined, 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }
}

function impersonationHeaders (user: JsonObject): Record<string, string | string[]> {
  const name = ownString(user, 'as')
  if (name === '') return {}
  const [uid, groups] = [ownString(user, 'as-uid'), ownStrings(user, 'as-groups')]
  const extra = ownObject(user, 'as-user-extra')
  return {
    'Impersonate-User': name,
    ...(uid !== '' && { 'Impersonate-Uid': uid }),
    ...(groups.length > 0 && { 'Impersonate-Group': groups }),
    ...Object.fromEntries(Object.keys(extra).map((key) =>
      [`Impersonate-Extra-${headerKey(key)}`, ownStrings(extra, key)]))
  }
}

/** Percent-encodes what no header name may hold, and the percent sign. Source: client-go, transport. */
function headerKey (key: string): string {
  return key.toLowerCase().replaceAll(/[^!#$&'*+\-.^_`|~0-9a-z]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''))
}

const POD_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

function isInPod (root: string): boolean {
  if ((process.env['KUBERNETES_SERVICE_HOST'] ?? '') === '') return false
  try {
    accessSync(`${root}${POD_FOLDER}/token`)
    return true
  } catch {
    return false
  }
}

function loadFromPod (config: KubeConfig, root: string): LoadedKubeConfig {
  if (process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set, so this process is not in a pod; pass --kubeconfig')
  }
  config.loadFromCluster(root)
  const pod = config.getCurrentCluster() as Cluster // set by loadFromCluster
  const proxyUrl = proxyFromEnvironment(pod.server, process.env)
  const cluster = proxyUrl === '' ? pod : { ...pod, proxyUrl }
  config.clusters = [cluster]
  return { config, cluster, namespace: podNamespace(root), impersonation: {} }
}

/** Source: client-go, tools/clientcmd, inClusterClientConfig. */
function podNamespace (root: string): string {
  const { POD_NAMESPACE } = process.env
  if (POD_NAMESPACE !== undefined && POD_NAMESPACE !== '') return POD_NAMESPACE
  try {
    return readFileSync(`${root}${POD_FOLDER}/namespace`, 'utf8').trim() || DEFAULT_NAMESPACE
  } catch {
    return DEFAULT_NAMESPACE
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
