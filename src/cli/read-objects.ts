import { stat } from 'node:fs/promises'
import { newAdmissionEngine, type AdmissionEngine } from '../../webhooks/engine.ts'
import { AIM_SERVICE, KINDS, type Kind } from '../api/kinds.ts'
import type { ServicePolicy } from '../core/rules/service.ts'
import { readRuntimeConfig } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { proxyFromEnvironment } from '../kube/client/proxy.ts'
import { collectionPath, forbiddenReason, listObjects } from '../kube/objects/list-objects.ts'
import { admittedService } from '../offline/admitted-services.ts'
import {
  localObject, objectTitle, readLocalObjects, type GivenObject, type LocalObject
} from '../offline/local-object.ts'
import { pathsLike, readManifestFile, readManifestFolder, type ManifestFile } from '../offline/manifest-files.ts'
import type { Position } from '../offline/read-manifests.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { JsonObject } from '../platform/json.ts'
import { decodeText, oneLine } from '../platform/printable.ts'
import { OFFLINE_DEFINITION } from '../offline/review-objects.ts'
import { pathPolicySettings, type PathFlags } from './flags/settings.ts'
import { newProgress, type Terminal } from './output/terminal.ts'
import { withCluster, type ClusterFlags } from './user-cluster.ts'

export interface Input {
  /** Objects of the three kinds, in order. */
  readonly objects: readonly GivenObject[]
  /** Why the input is unusable, one line each: `services.yaml:12:1: reason`. */
  readonly problems: readonly string[]
}

export interface InputOptions {
  readonly stdin: () => Promise<string>
  /** Whether folders are read recursively. */
  readonly recursive?: boolean
  /** Of manifests without one. */
  readonly namespace?: string
}

/** Reads files, folders, patterns and, for `-`, standard input. */
export async function readInput (paths: readonly string[], options: InputOptions): Promise<Input> {
  const files = (await Promise.all(paths.map((path) => filesAt(path, options)))).flat()
  const inputs = files.map((file) => inputOf(file, options))
  const objects = inputs.flatMap((input) => input.objects)
  const problems = inputs.flatMap((input) => input.problems)
  if (paths.length > 0 && objects.length === 0 && problems.length === 0) {
    problems.push(`${paths.join(', ')}: no AIMService and no runtime configuration`)
  }
  return { objects, problems }
}

/** `services.yaml:12:1` */
export function placeText (file: string, { line, column }: Position): string {
  return `${oneLine(file)}:${line}:${column}`
}

/** One line per violation of a schema. */
export function schemaProblems (objects: readonly GivenObject[]): string[] {
  return objects.flatMap((given) => given.errors.map(({ field, message }) =>
    `${placeText(given.file, given.positionOf(field))}: ${objectTitle(given)}: ${field}: ${message}`))
}

async function filesAt (path: string, options: InputOptions): Promise<ManifestFile[]> {
  if (path === '-') return [{ path: 'stdin', text: await options.stdin() }]
  try {
    if (/^https?:\/\//.test(path)) return [{ path, text: await textAt(path) }]
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory() === true) return await readManifestFolder(path, options)
    const matches = found === undefined && /[*?[\\]/.test(path) ? await pathsLike(path) : []
    if (matches.length === 0) return [await readManifestFile(path)]
    return (await Promise.all(matches.map((match) => filesAt(match, options)))).flat()
  } catch (error) {
    return [{ path, problem: errorMessage(error), isMissing: false }]
  }
}

/** The manifests at a URL, through the proxy of the environment. */
async function textAt (url: string): Promise<string> {
  const { Agent, ProxyAgent, fetch } = await import('undici')
  const proxy = proxyFromEnvironment(url, process.env)
  const dispatcher = proxy === '' ? new Agent() : new ProxyAgent({ uri: proxy, proxyTunnel: url.startsWith('https:') })
  try {
    const response = await fetch(url, { dispatcher })
    if (!response.ok) throw new Error(`the server responded with ${response.status} ${response.statusText}`)
    return decodeText(await response.bytes())
  } catch (error) {
    throw error instanceof TypeError && error.cause !== undefined ? error.cause : error // why the fetch failed
  } finally {
    await dispatcher.close()
  }
}

function inputOf (file: ManifestFile, { namespace }: InputOptions): Input {
  if ('problem' in file) return { objects: [], problems: [`${file.path}: ${file.problem}`] }
  const { objects, faults } = readLocalObjects(file.text, file.path, namespace)
  return { objects, problems: faults.map(({ position, reason }) => `${placeText(file.path, position)}: ${reason}`) }
}

/** Where existing objects come from. */
export interface KnownFlags extends ClusterFlags {
  readonly configs?: readonly string[]
  readonly old?: readonly string[]
}

/** Objects that exist already. */
export interface KnownObjects {
  /** Not reviewed. */
  readonly objects: readonly LocalObject[]
  /** A reviewed object of the same title is a change of it. */
  readonly stored: readonly LocalObject[]
  readonly problems: readonly string[]
  /** What the user may not read in the cluster, and what follows; a line each. */
  readonly notes: readonly string[]
}

interface KnownOptions {
  readonly input: InputOptions
  /** Namespaces to read if the user may not read all. */
  readonly namespaces: readonly string[]
  readonly terminal: Terminal
}

/** Reads existing objects from files, and from a cluster if a flag names one. */
export async function knownObjects (
  { configs = [], old = [], ...cluster }: KnownFlags, { input, namespaces, terminal }: KnownOptions
): Promise<KnownObjects> {
  const isClusterGiven = cluster.kubeconfig !== undefined || cluster.context !== undefined
  const [given, before, live] = await Promise.all([
    readInput(configs, input),
    readInput(old, input),
    isClusterGiven ? objectsInCluster(cluster, namespaces, terminal) : { found: [], notes: [], problems: [] }
  ])
  return {
    objects: given.objects,
    stored: [...live.found, ...before.objects],
    problems: [...given.problems, ...before.problems, ...schemaProblems(given.objects), ...live.problems],
    notes: live.notes
  }
}

export type EngineFlags = PathFlags & Pick<ServicePolicy, 'missingConfig'>

/** An engine without objects, over the definitions of this program. */
export function newOfflineEngine (flags: EngineFlags): AdmissionEngine {
  const options = { pathPolicy: pathPolicySettings(flags), served: OFFLINE_DEFINITION }
  return newAdmissionEngine({ missingConfig: flags.missingConfig, missingBlock: 'refuse' }, options)
}

/** Loads existing objects into an engine, but no unstored one under review. Returns the stored ones by title. */
export function loadWorld (
  { objects, stored }: Pick<KnownObjects, 'objects' | 'stored'>,
  engine: AdmissionEngine,
  reviewed: readonly LocalObject[] = []
): ReadonlyMap<string, JsonObject> {
  const titles = new Set(reviewed.map(objectTitle))
  const all = [...objects.filter((object) => !titles.has(objectTitle(object))), ...stored]
  const ordered = [...all.filter(({ kind }) => kind !== AIM_SERVICE), ...all.filter(({ kind }) => kind === AIM_SERVICE)]
  const known = new Map(ordered.map((local) => {
    const object = asStored(local, engine)
    if (local.errors.length === 0 || isReadable(local)) engine.sinks[local.kind.kind].upsert(object)
    return [objectTitle(local), object]
  }))
  return new Map(stored.map((local) => [objectTitle(local), known.get(objectTitle(local)) ?? local.object]))
}

/** Admits a service that was never admitted. */
function asStored ({ kind, object, key }: LocalObject, engine: AdmissionEngine): JsonObject {
  if (kind !== AIM_SERVICE) return object
  const service = readService(object, key.namespace)
  return service.kind === 'service' && service.block !== undefined ? object : admittedService(object, engine)
}

/** A stored object may be older than its schema; the server skips unreadable ones. */
function isReadable ({ kind: { kind }, key, object }: LocalObject): boolean {
  const read = kind === 'AIMService' ? readService(object, key.namespace) : readRuntimeConfig(kind, object)
  return read.kind !== 'malformed'
}

interface Found extends Pick<KnownObjects, 'notes' | 'problems'> { readonly found: readonly LocalObject[] }

/** Reads all namespaces, or the given ones of a kind that the user may not list in all. */
async function objectsInCluster (
  flags: ClusterFlags, namespaces: readonly string[], terminal: Terminal
): Promise<Found> {
  const progress = newProgress('objects of the cluster read:', terminal)
  const found: LocalObject[] = []
  const notes: string[] = []
  const problems: string[] = []
  await withCluster(flags, async ({ request }) => {
    const read = async (kind: Kind, namespace: string): Promise<void> => {
      await listObjects(collectionPath(kind, namespace), request, (object) => {
        const local = localObject(object)
        if (local !== undefined) found.push(local)
        progress.step()
      })
    }
    for (const kind of KINDS) {
      const { plural, scope } = kind
      try {
        await read(kind, '')
      } catch (error) {
        if (forbiddenReason(error) === undefined) throw error
        if (scope === 'Namespaced') for (const namespace of namespaces) await read(kind, namespace)
        notes.push(`you may not list ${plural} of the cluster: ${scope === 'Cluster'
          ? 'a service that uses one is reviewed as if it were missing; give it with --configs'
          : `only those of ${namespaces.join(', ')} are compared`}`)
      }
    }
  }).catch((error: unknown) => { problems.push(errorMessage(error)) })
  progress.end()
  return { found, notes, problems }
}
