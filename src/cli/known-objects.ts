import { AIM_SERVICE, KINDS } from '../api/kinds.ts'
import { API_VERSION } from '../api/meta.ts'
import { own, ownObject, type JsonObject } from '../platform/json.ts'
import { errorMessage } from '../platform/error-message.ts'
import { readRuntimeConfig } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { listObjects } from '../kube/objects/list-objects.ts'
import { admittedService } from '../offline/admitted-services.ts'
import { localObject, objectTitle, type GivenObject, type LocalObject } from '../offline/local-object.ts'
import type { AdmissionEngine } from '../../webhooks/engine.ts'
import { placeText, readInput, type InputOptions } from './read-input.ts'
import { newProgress, type Terminal } from './output/terminal.ts'
import { withCluster, type ClusterFlags } from './user-cluster.ts'

/** Where the objects come from that are there already. */
export interface KnownFlags extends ClusterFlags {
  readonly configs?: readonly string[]
  readonly old?: readonly string[]
}

export interface KnownObjects {
  /** Known, and not judged. */
  readonly objects: readonly LocalObject[]
  /** Known, and what an object of the same title is a change of. */
  readonly stored: readonly LocalObject[]
  readonly problems: readonly string[]
}

/** Reads the objects that are there already: from files, and from a cluster where one is named. */
export async function knownObjects ({ configs = [], old = [], ...cluster }: KnownFlags, input: InputOptions, terminal: Terminal): Promise<KnownObjects> {
  const [beside, before] = await Promise.all([readInput(configs, input), readInput(old, input)])
  const problems = [...beside.problems, ...before.problems, ...schemaProblems(beside.objects)]
  if (cluster.kubeconfig === undefined && cluster.context === undefined) {
    return { objects: beside.objects, stored: before.objects, problems }
  }
  try {
    return {
      objects: beside.objects,
      stored: [...(await objectsInCluster(cluster, terminal)), ...before.objects],
      problems
    }
  } catch (error) {
    return { objects: [], stored: [], problems: [...problems, errorMessage(error)] }
  }
}

/**
 * Has an admission know the objects, configurations before services; what the files under review define themselves is
 * left out, unless it is stored. Returns what is stored, by its title.
 */
export function loadWorld ({ objects, stored }: KnownObjects, admission: AdmissionEngine, reviewed: readonly LocalObject[] = []): ReadonlyMap<string, JsonObject> {
  const titles = new Set(reviewed.map(objectTitle))
  const all = [...objects.filter((object) => !titles.has(objectTitle(object))), ...stored]
  const ordered = [...all.filter(({ kind }) => kind !== AIM_SERVICE), ...all.filter(({ kind }) => kind === AIM_SERVICE)]
  const known = new Map(ordered.map((local) => {
    const object = asStored(local, admission)
    if (local.errors.length === 0 || canBeRead(local)) admission.sinks[local.kind.kind].upsert(object)
    return [objectTitle(local), object]
  }))
  return new Map(stored.map((local) => [objectTitle(local), known.get(objectTitle(local)) ?? local.object]))
}

/** A service of a file that nobody has admitted yet is known as it would be stored. */
function asStored ({ kind, object }: LocalObject, admission: AdmissionEngine): JsonObject {
  return kind !== AIM_SERVICE || own(ownObject(object, 'spec'), 'resolvedRuntimeConfig') !== undefined
    ? object
    : admittedService(object, admission)
}

/** What is stored may be older than its schema; the server passes over what it cannot read. */
function canBeRead ({ kind: { kind }, key, object }: LocalObject): boolean {
  return (
    (kind === 'AIMService' ? readService(object, key.namespace) : readRuntimeConfig(kind, object)).kind !== 'malformed'
  )
}

function schemaProblems (objects: readonly GivenObject[]): string[] {
  return objects.flatMap(({ file, positionOf, errors, ...local }) =>
    errors.map(({ field, message }) => `${placeText(file, positionOf(field))}: ${objectTitle({ ...local, errors })}: ${field}: ${message}`))
}

async function objectsInCluster (flags: ClusterFlags, terminal: Terminal): Promise<LocalObject[]> {
  const progress = newProgress('objects of the cluster read:', terminal)
  return await withCluster(flags, async (request) => {
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
