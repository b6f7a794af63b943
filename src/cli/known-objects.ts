import type { AdmissionEngine } from '../../webhooks/engine.ts'
import { AIM_SERVICE, KINDS } from '../api/kinds.ts'
import { API_VERSION } from '../api/meta.ts'
import { readRuntimeConfig } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { listObjects } from '../kube/objects/list-objects.ts'
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
}

/** Reads existing objects from files, and from a cluster if a flag names one. */
export async function knownObjects (
  { configs = [], old = [], ...cluster }: KnownFlags, input: InputOptions, terminal: Terminal
): Promise<KnownObjects> {
  const [given, before] = await Promise.all([readInput(configs, input), readInput(old, input)])
  const problems = [...given.problems, ...before.problems, ...schemaProblems(given.objects)]
  if (cluster.kubeconfig === undefined && cluster.context === undefined) {
    return { objects: given.objects, stored: before.objects, problems }
  }
  try {
    const stored = [...await objectsInCluster(cluster, terminal), ...before.objects]
    return { objects: given.objects, stored, problems }
  } catch (error) {
    return { objects: [], stored: [], problems: [...problems, errorMessage(error)] }
  }
}

/**
 * Loads existing objects into an engine, configurations first, except unstored ones that are under review. Returns the
 * stored ones by title.
 */
export function loadWorld (
  { objects, stored }: KnownObjects, engine: AdmissionEngine, reviewed: readonly LocalObject[] = []
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

async function objectsInCluster (flags: ClusterFlags, terminal: Terminal): Promise<LocalObject[]> {
  const progress = newProgress('objects of the cluster read:', terminal)
  return await withCluster(flags, async ({ request }) => {
    const found: LocalObject[] = []
    for (const { plural } of KINDS) {
      for await (const object of listObjects(`/apis/${API_VERSION}/${plural}`, request)) {
        const local = localObject(object)
        if (local !== undefined) found.push(local)
        progress.step()
      }
    }
    return found
  }).finally(progress.end)
}
