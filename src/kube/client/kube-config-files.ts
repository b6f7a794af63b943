import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { errorMessage, isMissingFile } from '../../platform/error-message.ts'
import { isJsonObject, own, ownObject, ownObjects, ownString, type JsonObject } from '../../platform/json.ts'
import { ExecPlugin } from './exec-plugin.ts'

/** A context of kubeconfig files, with its cluster and user as written. */
export interface SelectedContext {
  readonly name: string
  readonly server: string
  readonly cluster: JsonObject
  readonly user: JsonObject
  readonly namespace: string
}

/**
 * The wanted context of kubeconfig files, or their current one; undefined if they name none. Files are merged and
 * validated as by client-go (tools/clientcmd). Throws one line if they are unusable.
 */
export function selectContext (
  file: string | readonly string[], wanted: string | undefined
): SelectedContext | undefined {
  const merged = mergeFiles(file)
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

/** The fields of clusters, users and contexts that must be strings. */
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
