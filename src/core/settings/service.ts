import canonicalize from 'canonicalize'
import { DEFAULT_CONFIG_NAME, LAST_APPLIED_ANNOTATION, BLOCK_ANNOTATION } from '../../api/meta.ts'
import { annotationsOf, isDeleting, withAnnotation } from '../../api/object-meta.ts'
import type { ObjectKey } from '../ports.ts'
import {
  isJsonObject, nestsAtMost, own, ownObject, ownString, parseObject, type JsonObject
} from '../../platform/json.ts'
import { separateFilled, type FilledFields } from './filled-fields.ts'
import { READABLE_METADATA } from '../path/readable-fields.ts'
import {
  namesAt, objectAt, orMalformed, routingAt, stringAt, type Malformed, type RoutingFields
} from './read-fields.ts'

/** The checked fields of an AIMService. */
export interface ServiceFields {
  readonly namespace: string
  /** Empty until the API server generates it from `generateName`. */
  readonly name: string
  readonly generateName: string
  readonly deleting: boolean
  /** `spec.runtimeConfigName` as given. */
  readonly givenConfigName: string | undefined
  /** The given name, or `default`. */
  readonly configName: string
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly string[]
  readonly routing: RoutingFields
}

/** An AIMService as the rules read it. */
export interface Service extends ServiceFields {
  readonly kind: 'service'
  /** The resolved configuration as recorded, unchecked: users can write anything there. */
  readonly block: unknown
  readonly storedBlockPlace: BlockPlace | 'several' | undefined
  /** The user's own part of the object. */
  readonly object: JsonObject
  /** The fields that admission filled, as found. */
  readonly filled: FilledFields
}

/** Where admission records the resolved configuration: in `spec.resolvedRuntimeConfig`, or in an annotation. */
export type BlockPlace = 'spec' | 'annotation'

/** A service in an index. */
export interface StoredService extends ObjectKey {
  readonly deleting: boolean
  /** The given name, or `default`; empty if it is too long for any configuration. */
  readonly configName: string
  /** Whether the index left out the object, because it is too large. */
  readonly partial: boolean
  /** Parses the object and the block: call it once and keep the result. Undefined for a partial service. */
  parse (): Service | undefined
}

/** A service whose kept text is larger is stored without its object. */
export const MAX_KEPT_BYTES = 16 * 1024

/**
 * Reads an AIMService. `namespace` is the request's and takes precedence over the object's; `stored` is the object
 * that a request changes, empty if it creates one. A stored object stands for itself.
 */
export function readService (given: JsonObject, namespace: string, stored: JsonObject = given): Service | Malformed {
  return orMalformed(() => {
    const { object, filled } = separateFilled(given, stored)
    const spec = objectAt(object, 'spec', 'spec')
    const metadata = objectAt(object, 'metadata', 'metadata')
    const givenConfigName = stringAt(spec, 'runtimeConfigName', 'spec.runtimeConfigName') || undefined
    return {
      kind: 'service',
      namespace,
      name: ownString(metadata, 'name'),
      generateName: ownString(metadata, 'generateName'),
      deleting: isDeleting(object),
      givenConfigName,
      configName: givenConfigName ?? DEFAULT_CONFIG_NAME,
      serviceAccountName: stringAt(spec, 'serviceAccountName', 'spec.serviceAccountName') || undefined,
      imagePullSecrets: namesAt(spec, 'imagePullSecrets', 'spec.imagePullSecrets'),
      routing: routingAt(spec),
      ...storedBlock(spec, metadata),
      object: withoutCopies(inNamespace(object, namespace)),
      filled
    }
  })
}

/** What path expressions read: the object with the name of the configuration, as admission stores it. */
export function renderedObject ({ object, givenConfigName, configName }: Service): JsonObject {
  return givenConfigName === undefined
    ? { ...object, spec: { ...ownObject(object, 'spec'), runtimeConfigName: configName } }
    : object
}

/** The block has precedence. An annotation in another form than admission writes counts as being in several places. */
function storedBlock (spec: JsonObject, metadata: JsonObject): Pick<Service, 'block' | 'storedBlockPlace'> {
  const block = own(spec, 'resolvedRuntimeConfig')
  const text = own(ownObject(metadata, 'annotations'), BLOCK_ANNOTATION)
  if (text === undefined) return { block, storedBlockPlace: block === undefined ? undefined : 'spec' }
  if (block !== undefined) return { block, storedBlockPlace: 'several' }
  const read = readRecord(text)
  return { block: read, storedBlockPlace: isJsonObject(read) && blockText(read) === text ? 'annotation' : 'several' }
}

/** The value of the annotation for a block. */
export function blockText (block: object): string {
  return canonicalize(block) ?? ''
}

/** A text that is no JSON object of a possible size stays a text, which equals no block. */
function readRecord (text: unknown): unknown {
  const value = typeof text === 'string' && text.length <= MAX_RECORD ? parseObject(text) : undefined
  return value !== undefined && nestsAtMost(value, MAX_RECORD_DEPTH) ? value : String(text)
}

/** In characters. Source: Kubernetes, the limit of all annotations of an object. */
const MAX_RECORD = 256 * 1024
const MAX_RECORD_DEPTH = 8

/** Without the record and the applied manifest, which no index keeps: a path that read them would differ there. */
function withoutCopies (object: JsonObject): JsonObject {
  return [BLOCK_ANNOTATION, LAST_APPLIED_ANNOTATION].reduce((rest, key) =>
    Object.hasOwn(annotationsOf(rest), key) ? withAnnotation(rest, key, undefined) : rest, object)
}

/** The configuration name of a service, without reading the rest; undefined if spec or name is malformed. */
export function configNameOf (object: JsonObject): string | undefined {
  const spec = own(object, 'spec')
  const given = isJsonObject(spec) ? own(spec, 'runtimeConfigName') || DEFAULT_CONFIG_NAME : undefined
  return typeof given === 'string' ? given : undefined
}

/** The name in messages: `llama-*` while only `generateName` is set. */
export function displayName ({ name, generateName }: ServiceFields): string {
  return name === '' ? `${generateName}*` : name
}

/** The keys of the labels or annotations, in the object's order. */
export function keysOf (service: Service, field: 'labels' | 'annotations'): string[] {
  return Object.keys(ownObject(ownObject(service.object, 'metadata'), field))
}

/** What rules and path expressions read of an object's metadata: without managed fields and the applied manifest. */
export function relevantMetadata (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const keys = RELEVANT_METADATA.filter((key) => Object.hasOwn(metadata, key))
  const kept = Object.fromEntries(keys.map((key) => [key, metadata[key]]))
  const annotations = own(metadata, 'annotations')
  if (!isJsonObject(annotations)) return kept
  const { [LAST_APPLIED_ANNOTATION]: applied, ...others } = annotations
  return { ...kept, annotations: others }
}

/** What is kept of an object in an index, apart from the block. */
export function keptObject (object: JsonObject): JsonObject {
  return {
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata: relevantMetadata(object),
    spec: { ...ownObject(object, 'spec'), resolvedRuntimeConfig: undefined }
  }
}

/** The size of a text in memory. V8 stores Latin-1 texts with one byte a character, all others with two. */
export function textBytes (text: string): number {
  return text.length * (NOT_LATIN_1.test(text) ? 2 : 1)
}

const NOT_LATIN_1 = /[^\0-\xff]/

const RELEVANT_METADATA = [...READABLE_METADATA, 'generation', 'deletionTimestamp']

function inNamespace (object: JsonObject, namespace: string): JsonObject {
  const metadata = own(object, 'metadata')
  if (isJsonObject(metadata) && own(metadata, 'namespace') === namespace) return object
  return { ...object, metadata: { ...(isJsonObject(metadata) ? metadata : {}), namespace } }
}
