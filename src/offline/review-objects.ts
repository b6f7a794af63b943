import jsonpatch from 'fast-json-patch'
import type { AdmissionEngine } from '../../webhooks/engine.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import { limitWarnings, refusal } from '../admission/encode.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { PatchOperation } from '../api/admission-review.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import { GROUP, VERSION } from '../api/meta.ts'
import { OBJECT_SCHEMAS } from '../api/object-schemas.ts'
import { UNKNOWN_FIELD, validateObject, type FieldError } from '../api/validate-object.ts'
import { schemaFields } from '../core/served-fields.ts'
import { isJsonObject, own, ownObject, sameJson, type JsonObject } from '../platform/json.ts'
import { oneLine } from '../platform/printable.ts'
import { objectTitle, type GivenObject, type LocalObject } from './local-object.ts'
import { fieldSteps, type Position } from './read-manifests.ts'

/** Without a cluster, AIMService has the product's definition. */
export const OFFLINE_DEFINITION = schemaFields(OBJECT_SCHEMAS.AIMService as unknown as JsonObject)

/** Why an object is refused. */
interface ReviewFault extends FieldError {
  /** The code of the fault; `SCHEMA` if the schema or the API server itself refuses the object. */
  readonly code: string
}

/** The result for one object. */
export interface Reviewed<T extends LocalObject = LocalObject> {
  readonly given: T
  /** Empty: it is admitted. */
  readonly faults: readonly ReviewFault[]
  /** Truncated as by the API server. */
  readonly warnings: readonly string[]
  readonly patch: readonly PatchOperation[]
  /** As stored after admission; as given if it is refused. */
  readonly object: JsonObject
}

export interface ReviewOptions {
  /** Stored objects by title: an object of the same title is reviewed as an update. */
  readonly stored?: ReadonlyMap<string, JsonObject>
  /** Called after each object. */
  readonly onReviewed?: () => void
}

type Engine = Pick<AdmissionEngine, 'webhooks' | 'sinks'>

/**
 * Reviews the objects one after the other as a cluster would: configurations first, then services. Each admitted object
 * is known to the next ones. Results are in the order of the objects.
 */
export function reviewObjects<T extends LocalObject> (
  objects: readonly T[], engine: Engine, { stored = new Map(), onReviewed }: ReviewOptions = {}
): Reviewed<T>[] {
  const services = objects.filter(({ kind }) => kind === AIM_SERVICE)
  const configs = objects.filter(({ kind }) => kind !== AIM_SERVICE)
  const titles = new Set<string>()
  const reviewed = new Map([...configs, ...services].map((given) => {
    const title = objectTitle(given)
    const result = titles.has(title) ? refused(given, [DUPLICATE]) : review(given, engine, stored.get(title))
    if (given.key.name !== '') titles.add(title)
    onReviewed?.()
    return [given, result]
  }))
  return objects.flatMap((given) => reviewed.get(given) ?? [])
}

const DUPLICATE: FieldError = {
  field: 'metadata.name',
  message: 'the files define an object of this kind and name already: rename or remove one of the two'
}

/** Follows the order of the API server: unknown fields, mutating webhooks, schema, validating webhooks. */
function review<T extends LocalObject> (
  given: T, { webhooks, sinks }: Engine, old: JsonObject | undefined
): Reviewed<T> {
  const { kind: { kind }, key } = given
  if (given.errors.some(({ message }) => message.startsWith(UNKNOWN_FIELD))) return refused(given, given.errors)
  const operation = old === undefined ? 'CREATE' : 'UPDATE'
  const called = webhooks.filter(({ resource, registrations }) =>
    resource.kind === kind && registrations.some(({ operations }) => operations.includes(operation)))
  const callAll = (type: Webhook['type'], start: Reviewed<T>): Reviewed<T> => called
    .filter((webhook) => webhook.type === type)
    .reduce((before, webhook) => before.faults.length > 0 ? before : afterWebhook(before, webhook, old), start)

  const object = old === undefined ? asCreate(given.object) : asUpdate(given.object, old)
  const mutated = callAll('mutating', { given, faults: [], warnings: [], patch: [], object })
  const errors = given.errors.length === 0 ? [] : newErrors(mutated.object, validateObject(kind, mutated.object), old)
  if (errors.length > 0) return { ...refused(given, errors), warnings: mutated.warnings }
  const result = callAll('validating', mutated)
  if (result.faults.length > 0) return { ...result, patch: [], object: given.object }
  if (key.name !== '') sinks[kind].upsert(result.object)
  return result
}

function refused<T extends LocalObject> (given: T, errors: readonly FieldError[]): Reviewed<T> {
  const faults = errors.map((error) => ({ ...error, code: 'SCHEMA' }))
  return { given, faults, warnings: [], patch: [], object: given.object }
}

/** Metadata that the API server drops on create. Source: apiserver, registry/rest, WipeObjectMetaSystemFields. */
const DROPPED_ON_CREATE = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink']

function asCreate (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  if (!DROPPED_ON_CREATE.some((field) => Object.hasOwn(metadata, field))) return object
  const kept = Object.entries(metadata).filter(([field]) => !DROPPED_ON_CREATE.includes(field))
  return { ...object, metadata: Object.fromEntries(kept) }
}

/** Metadata that the API server keeps on update. Source: apiserver, registry/rest, BeforeUpdate. */
const KEPT_ON_UPDATE = ['uid', 'creationTimestamp', 'deletionTimestamp', 'generation', 'resourceVersion'] as const

function asUpdate (object: JsonObject, old: JsonObject): JsonObject {
  const before = ownObject(old, 'metadata')
  const kept = KEPT_ON_UPDATE.flatMap((field) => own(before, field) === undefined ? [] : [[field, before[field]]])
  return { ...object, metadata: { ...ownObject(object, 'metadata'), ...Object.fromEntries(kept) } }
}

/** An unchanged value may be invalid (ratcheting). Source: apiextensions-apiserver, CRDValidationRatcheting. */
function newErrors (
  object: JsonObject, errors: readonly FieldError[], old: JsonObject | undefined
): readonly FieldError[] {
  if (old === undefined) return errors
  return errors.filter(({ field, message }) => {
    const steps = fieldSteps(field)
    const at = message === 'Required value' ? steps.slice(0, -1) : steps
    return steps[0] !== 'spec' || !sameJson(valueAt(object, at), valueAt(old, at))
  })
}

function valueAt (object: JsonObject, steps: readonly string[]): unknown {
  return steps.reduce<unknown>(
    (value, step) => (Array.isArray(value) ? value[Number(step)] : isJsonObject(value) ? own(value, step) : undefined),
    object
  )
}

function afterWebhook<T extends LocalObject> (
  before: Reviewed<T>, webhook: Webhook, old: JsonObject | undefined
): Reviewed<T> {
  const request = requestFor(before, old)
  const verdict = webhook.decide(request)
  const after = { ...before, warnings: [...new Set([...before.warnings, ...limitWarnings(verdict.warnings)])] }
  switch (verdict.kind) {
    case 'admit': return after
    case 'deny': {
      const { causes } = refusal(request, verdict.faults).details
      return { ...after, faults: causes.map(({ field, message, reason }) => ({ field, message, code: reason })) }
    }
    case 'patch': {
      const { operations } = verdict
      const patched = jsonpatch.applyPatch(structuredClone(before.object), structuredClone(operations), true)
      return { ...after, patch: [...before.patch, ...operations], object: patched.newDocument }
    }
  }
}

function requestFor ({ given: { kind, key }, object }: Reviewed, old: JsonObject | undefined): ReviewRequest {
  return {
    uid: 'offline',
    operation: old === undefined ? 'CREATE' : 'UPDATE',
    group: GROUP,
    version: VERSION,
    kind: kind.kind,
    resource: kind.plural,
    subResource: '',
    ...key,
    dryRun: true,
    object,
    ...(old !== undefined && { oldObject: old })
  }
}

export type ReviewedObject = Reviewed<GivenObject>

/** One error or warning about an object, and its place in a file. */
export interface Diagnostic {
  readonly level: 'error' | 'warning'
  /** The code of the fault; `WARNING` for a warning. */
  readonly code: string
  /** Field path; empty for the object as a whole. */
  readonly field: string
  /** One line. */
  readonly message: string
  /** Title of the object. */
  readonly object: string
  readonly file: string
  readonly position: Position
}

/** The faults of an object, then its warnings. */
export function diagnosticsOf ({ given, faults, warnings }: ReviewedObject): Diagnostic[] {
  const about = { object: objectTitle(given), file: given.file }
  const errors = faults.map(({ code, field, message }) => {
    const position = given.positionOf(field)
    return { level: 'error', code, field: oneLine(field), message: oneLine(message), position, ...about } as const
  })
  return [...errors, ...warnings.map((message) => {
    const field = LEADING_FIELD.exec(message)?.[1] ?? ''
    const position = field === '' ? given.position : given.positionOf(field)
    return { level: 'warning', code: 'WARNING', field, message, position, ...about } as const
  })]
}

/** A warning has no field, but may start with one: `spec.resolvedRuntimeConfig is read-only`. */
const LEADING_FIELD = /^(?:[^.:]+: )?((?:spec|metadata)\.[\w.[\]/-]*\w\]?)/
