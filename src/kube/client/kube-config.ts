import { accessSync, readFileSync } from 'node:fs'
import { registerHooks, type LoadHookSync, type ResolveHookSync } from 'node:module'
import { dirname, resolve } from 'node:path'
import type { Cluster, KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { errorMessage, isMissingFile } from '../../platform/error-message.ts'
import {
  isJsonObject, own, ownObject, ownObjects, ownString, ownStrings, type JsonObject
} from '../../platform/json.ts'
import { DEFAULT_NAMESPACE } from '../../api/meta.ts'
import { ExecPlugin } from './exec-plugin.ts'
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

/**
 * Loads what kubectl would use. client-node reads the selected cluster and user, the merging and validation of files
 * follow client-go (tools/clientcmd). Throws a one-line error if no cluster can be determined.
 */
export async function loadKubeConfig ({ file, context, podRoot = '' }: KubeConfigChoice): Promise<LoadedKubeConfig> {
  const { KubeConfig } = await loadClient()
  const config = new KubeConfig()
  const selected = file === undefined ? undefined : select(mergeFiles(file), context)
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
  const selected = select(mergeFiles(file), context)
  if (selected !== undefined) return selected.namespace || DEFAULT_NAMESPACE
  return isInPod(podRoot) ? podNamespace(podRoot) : DEFAULT_NAMESPACE
}

function loadSelected (config: KubeConfig, { name, server, cluster, user, namespace }: Selected): LoadedKubeConfig {
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

const SECTIONS = { clusters: 'cluster', users: 'user', contexts: 'context' } as const
type Section = keyof typeof SECTIONS

interface Merged extends Readonly<Record<Section, Map<string, JsonObject>>> { currentContext: string }

/** The first file wins, for each name and for the current context. */
function mergeFiles (file: string | readonly string[]): Merged {
  const merged: Merged = { clusters: new Map(), users: new Map(), contexts: new Map(), currentContext: '' }
  for (const one of [file].flat()) {
    try {
      mergeFile(one, merged)
    } catch (error) {
      if (typeof file !== 'string' && isMissingFile(error)) continue
      throw new Error(`failed to read kubeconfig ${one}: ${errorMessage(error)}`, { cause: error })
    }
  }
  return merged
}

function mergeFile (file: string, merged: Merged): void {
  const content: unknown = parse(readFileSync(file, 'utf8')) ?? {}
  if (!isJsonObject(content)) throw new Error('it is not an object')
  const kind = ownString(content, 'kind')
  if (kind !== '' && kind !== 'Config') throw new Error(`its kind is ${kind}, not Config`)
  merged.currentContext ||= ownString(content, 'current-context')
  for (const section of Object.keys(SECTIONS) as Section[]) {
    for (const [name, entry] of entriesOf(content, section)) {
      if (!merged[section].has(name)) merged[section].set(name, withAbsolutePaths(entry, dirname(file)))
    }
  }
}

function entriesOf (content: JsonObject, section: Section): Map<string, JsonObject> {
  if (!Array.isArray(content[section] ?? [])) throw new Error(`${section} is not a list`)
  const entries = new Map<string, JsonObject>()
  for (const entry of ownObjects(content, section)) {
    const name = ownString(entry, 'name')
    if (entries.has(name)) throw new Error(`duplicate name ${JSON.stringify(name)} in ${section}`)
    entries.set(name, ownObject(entry, SECTIONS[section]))
  }
  return entries
}

/** Of clusters, users and contexts; all others are not read as text. */
const TEXTS = new Set([
  'server', 'tls-server-name', 'proxy-url', 'certificate-authority', 'certificate-authority-data', 'token', 'tokenFile',
  'username', 'password', 'client-certificate', 'client-certificate-data', 'client-key', 'client-key-data', 'as',
  'as-uid', 'cluster', 'user', 'namespace'
])

const PATHS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile']

/** Relative to the folder of the file. A command without a slash is looked up on the PATH. */
function withAbsolutePaths (entry: JsonObject, folder: string): JsonObject {
  for (const [field, value] of Object.entries(entry)) {
    if (TEXTS.has(field) && typeof (value ?? '') !== 'string') throw new Error(`${field} is not a string`)
  }
  const result: Record<string, unknown> = { ...entry }
  for (const field of PATHS) {
    const path = ownString(entry, field)
    if (path !== '') result[field] = resolve(folder, path)
  }
  const exec = ownObject(entry, 'exec')
  const command = ownString(exec, 'command')
  if (command.includes('/')) result['exec'] = { ...exec, command: resolve(folder, command) }
  return result
}

interface Selected {
  readonly name: string
  readonly server: string
  readonly cluster: JsonObject
  readonly user: JsonObject
  readonly namespace: string
}

/** Undefined if the files name no cluster. */
function select (merged: Merged, wanted: string | undefined): Selected | undefined {
  const name = wanted ?? merged.currentContext
  if (name === '') return undefined
  const context = merged.contexts.get(name)
  if (context === undefined) {
    const known = [...merged.contexts.keys()]
    const contexts = known.length === 0 ? 'it has no contexts' : `its contexts are ${known.join(', ')}`
    throw new Error(`the kubeconfig has no context ${JSON.stringify(name)}; ${contexts}`)
  }
  const clusterName = ownString(context, 'cluster')
  const cluster = merged.clusters.get(clusterName)
  if (cluster === undefined) {
    throw new Error(`context ${JSON.stringify(name)} of the kubeconfig names the cluster ` +
      `${JSON.stringify(clusterName)}, which does not exist`)
  }
  // as in client-go, an unknown user is one without credentials
  const user = merged.users.get(ownString(context, 'user')) ?? {}
  const problems = [...clusterProblems(cluster), ...userProblems(user)]
  if (problems.length > 0) throw new Error(`context ${JSON.stringify(name)} of the kubeconfig: ${problems.join('; ')}`)
  return { name, server: serverUrl(cluster), cluster, user, namespace: ownString(context, 'namespace') }
}

/** With a scheme in lower case. A server without a scheme is one without TLS. */
function serverUrl (cluster: JsonObject): string {
  const server = ownString(cluster, 'server')
  const withScheme = /^https?:\/\//i.test(server) ? server : `http://${server}`
  return withScheme.replace(/^https?/i, (scheme) => scheme.toLowerCase()).replace(/\/$/, '')
}

/** Source: client-go, tools/clientcmd/validation.go. */
function clusterProblems (cluster: JsonObject): string[] {
  const [server, proxy] = [ownString(cluster, 'server'), ownString(cluster, 'proxy-url')]
  return [
    ...(proxy === '' || /^(?:https?|socks5):\/\//i.test(proxy)
      ? []
      : [`proxy-url ${proxy} must start with http://, https:// or socks5://`]),
    ...(server === '' ? ['the cluster has no server'] : []),
    ...(URL.canParse(serverUrl(cluster)) || server === '' ? [] : [`the server ${server} is not a URL`]),
    ...bothGiven(cluster, 'certificate-authority')
  ]
}

/** Source: client-go, tools/clientcmd/validation.go. */
function userProblems (user: JsonObject): string[] {
  const has = (...fields: string[]): boolean => fields.some((field) => {
    const value = own(user, field)
    return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
  })
  const problems = ['client-certificate', 'client-key'].flatMap((field) => bothGiven(user, field))
  if (has('client-certificate', 'client-certificate-data') && !has('client-key', 'client-key-data')) {
    problems.push('the client certificate has no client-key')
  }
  if (has('token') && has('username', 'password')) problems.push('token and username exclude each other; remove one')
  if (has('as-uid', 'as-groups', 'as-user-extra') && !has('as')) {
    problems.push('as-uid, as-groups and as-user-extra need a user in as')
  }
  if (!has('exec')) return problems
  if (has('auth-provider')) problems.push('exec and auth-provider exclude each other; remove one')
  return [...problems, ...ExecPlugin.problems(ownObject(user, 'exec'))]
}

function bothGiven (object: JsonObject, field: string): string[] {
  const both = ownString(object, field) !== '' && ownString(object, `${field}-data`) !== ''
  return both ? [`${field} and ${field}-data exclude each other; remove one`] : []
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
