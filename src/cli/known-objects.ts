import type { AdmissionEngine } from '../../webhooks/engine.ts'
import { AIM_SERVICE, KINDS } from '../api/kinds.ts'
import { API_VERSION } from '../api/meta.ts'
import { readRuntimeConfig } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { forbiddenReason, listObjects } from '../kube/objects/list-objects.ts'
import { admittedService } from '../offline/admitted-services.ts'
import { localObject, objectTitle, type LocalObject } from '../offline/local-object.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { JsonObject } from '../platform/json.ts'
import { newProgress, type Terminal } from './output/terminal.ts'
import { readInput, schemaProblems, type InputOptions } from './read-input.ts'
import { withCluster, type ClusterFlags } from './user-cluster.ts'

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
  const [given, before] = await Promise.all([readInput(configs, input), readInput(old, input)])
  const problems = [...given.problems, ...before.problems, ...schemaProblems(given.objects)]
  if (cluster.kubeconfig === undefined && cluster.context === undefined) {
    return { objects: given.objects, stored: before.objects, problems, notes: [] }
  }
  try {
    const { found, notes } = await objectsInCluster(cluster, namespaces, terminal)
    return { objects: given.objects, stored: [...found, ...before.objects], problems, notes }
  } catch (error) {
    return { objects: [], stored: [], problems: [...problems, errorMessage(error)], notes: [] }
  }
}

/**
 * Loads existing objects into an engine, configurations first, except unstored ones that are under review. Returns the
 * stored ones by title.
 */
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

interface Found { readonly found: readonly LocalObject[], readonly notes: readonly string[] }

/** Reads all namespaces, or the given ones of a kind that the user may not list in all. */
async function objectsInCluster (
  flags: ClusterFlags, namespaces: readonly string[], terminal: Terminal
): Promise<Found> {
  const progress = newProgress('objects of the cluster read:', terminal)
  return await withCluster(flags, async ({ request }) => {
    const found: LocalObject[] = []
    const read = async (path: string): Promise<void> => {
      for await (const object of listObjects(`/apis/${API_VERSION}/${path}`, request)) {
        const local = localObject(object)
        if (local !== undefined) found.push(local)
        progress.step()
      }
    }
    const notes: string[] = []
    for (const { plural, scope } of KINDS) {
      try {
        await read(plural)
      } catch (error) {
        if (forbiddenReason(error) === undefined) throw error
        if (scope === 'Namespaced') for (const namespace of namespaces) await read(`namespaces/${namespace}/${plural}`)
        notes.push(`you may not list ${plural} of the cluster: ${scope === 'Cluster'
          ? 'a service that uses one is reviewed as if it were missing; give it with --configs'
          : `only those of ${namespaces.join(', ')} are compared`}`)
      }
    }
    return { found, notes }
  }).finally(progress.end)
}
