import jsonpatch from 'fast-json-patch'
import type { Webhook } from '../../webhooks/webhook.ts'
import { refusal } from '../admission/encode.ts'
import type { ReviewRequest } from '../admission/request.ts'
import { shownWarnings } from '../admission/shown-texts.ts'
import type { PatchOperation } from '../api/admission-review.ts'
import { AIM_SERVICE, type Kind } from '../api/kinds.ts'
import { GROUP, VERSION } from '../api/meta.ts'
import { validateObject, type FieldError } from '../api/validate-object.ts'
import { isJsonObject, own, ownObject, sameJson, type JsonObject } from '../platform/json.ts'
import type { ObjectSink } from '../core/ports.ts'
import { fieldSteps } from './field-position.ts'
import { objectTitle, type LocalObject } from './local-object.ts'

/** The webhooks, over a world that learns what the sinks are fed. */
export interface Admission {
  readonly webhooks: readonly Webhook[]
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
}

/** Why an object is refused. */
export interface ReviewFault extends FieldError {
  /** The code of the fault that a webhook found; `SCHEMA` where the CRD or the API server itself refuses the object. */
  readonly code: string
}

/** What came of one object. */
export interface Reviewed<T extends LocalObject = LocalObject> {
  readonly given: T
  /** Empty: it is admitted. */
  readonly faults: readonly ReviewFault[]
  /** Cut as the API server cuts them. */
  readonly warnings: readonly string[]
  readonly patch: readonly PatchOperation[]
  /** As it would be stored; as it was given where it is refused. */
  readonly object: JsonObject
}

export interface ReviewOptions {
  /** What is stored already, by its title: an object of the same title is judged as a change of it. */
  readonly stored?: ReadonlyMap<string, JsonObject>
  /** Called after each object. */
  readonly onReviewed?: () => void
}

/**
 * Admits the objects as if they came to a cluster: configurations first, then services, each in its turn.
 * What is admitted is known to those after it. Results come in the order of the objects.
 */
export function reviewObjects<T extends LocalObject> (objects: readonly T[], admission: Admission, options: ReviewOptions = {}): Reviewed<T>[] {
  const { stored = new Map<string, JsonObject>(), onReviewed } = options
  const services = objects.filter(({ kind }) => kind === AIM_SERVICE)
  const configs = objects.filter(({ kind }) => kind !== AIM_SERVICE)
  const titles = new Set<string>()
  const reviewed = new Map([...configs, ...services].map((given) => {
    const title = objectTitle(given)
    const result = titles.has(title) ? refused(given, [ALREADY_THERE]) : review(given, admission, stored.get(title))
    if (given.key.name !== '') titles.add(title)
    onReviewed?.()
    return [given, result]
  }))
  return objects.flatMap((given) => reviewed.get(given) ?? [])
}

const ALREADY_THERE: FieldError = {
  field: 'metadata.name', message: 'an object of this kind and name comes earlier in the files: give it another name, or remove one of the two'
}

function review<T extends LocalObject> (given: T, { webhooks, sinks }: Admission, old: JsonObject | undefined): Reviewed<T> {
  const { kind: { kind }, key } = given
  if (given.errors.some(isUnknownField)) return refused(given, given.errors)
  const start: Reviewed<T> = {
    given,
    faults: [],
    warnings: [],
    patch: [],
    object: old === undefined ? given.object : asUpdate(given.object, old)
  }
  const asked = webhooksOf(kind, webhooks, operationOn(old))
  const mutated = asked
    .filter(({ type }) => type === 'mutating')
    .reduce((before, webhook) => afterWebhook(before, webhook, old), start)
  const errors = given.errors.length === 0 ? [] : newErrors(mutated.object, validateObject(kind, mutated.object), old)
  if (errors.length > 0) return { ...refused(given, errors), warnings: mutated.warnings }
  const result = asked
    .filter(({ type }) => type === 'validating')
    .reduce((before, webhook) => afterWebhook(before, webhook, old), mutated)
  if (result.faults.length > 0) return { ...result, patch: [], object: given.object }
  if (key.name !== '') sinks[kind].upsert(result.object)
  return result
}

/**
 * The API server refuses these before it asks anybody, and all else that the schema has against an object only after
 * the mutating webhooks.
 */
function isUnknownField ({ message }: FieldError): boolean {
  return message === 'unknown field'
}

function refused<T extends LocalObject> (given: T, errors: readonly FieldError[]): Reviewed<T> {
  return {
    given,
    faults: errors.map((error) => ({ ...error, code: 'SCHEMA' })),
    warnings: [],
    patch: [],
    object: given.object
  }
}

/** What the API server carries over from the stored object. Source: apiserver, registry/rest, BeforeUpdate. */
const CARRIED = ['uid', 'creationTimestamp', 'deletionTimestamp', 'generation', 'resourceVersion'] as const

function asUpdate (object: JsonObject, old: JsonObject): JsonObject {
  const before = ownObject(old, 'metadata')
  const carried = CARRIED.flatMap((field) => own(before, field) === undefined ? [] : [[field, before[field]]])
  return { ...object, metadata: { ...ownObject(object, 'metadata'), ...Object.fromEntries(carried) } }
}

/**
 * The API server lets a value pass that its schema refuses where the stored object has the very same one (ratcheting).
 * Source: apiextensions-apiserver, CRDValidationRatcheting.
 */
function newErrors (object: JsonObject, errors: readonly FieldError[], old: JsonObject | undefined): readonly FieldError[] {
  return old === undefined
    ? errors
    : errors.filter(({ field, message }) => {
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

function operationOn (old: JsonObject | undefined): 'CREATE' | 'UPDATE' {
  return old === undefined ? 'CREATE' : 'UPDATE'
}

/** Those that are asked when an object of the kind is created or changed. */
function webhooksOf (kind: Kind['kind'], webhooks: readonly Webhook[], operation: 'CREATE' | 'UPDATE'): readonly Webhook[] {
  return webhooks.filter(
    ({ resource, registrations }) =>
      resource.kind === kind && registrations.some(({ operations }) => operations.includes(operation))
  )
}

/** The API server asks nobody further once an object is refused. */
function afterWebhook<T extends LocalObject> (before: Reviewed<T>, webhook: Webhook, old: JsonObject | undefined): Reviewed<T> {
  if (before.faults.length > 0) return before
  const request = requestFor(before, old)
  const verdict = webhook.decide(request)
  const after = { ...before, warnings: [...new Set([...before.warnings, ...shownWarnings(verdict.warnings)])] }
  switch (verdict.kind) {
    case 'admit': return after
    case 'deny':
      return {
        ...after,
        faults: refusal(request, verdict.faults).details.causes.map(({ field, message, reason }) => ({
          field,
          message,
          code: reason
        }))
      }
    case 'patch':
      return {
        ...after,
        patch: [...before.patch, ...verdict.operations],
        object: patched(before.object, verdict.operations)
      }
  }
}

function patched (object: JsonObject, operations: readonly PatchOperation[]): JsonObject {
  return jsonpatch.applyPatch(structuredClone(object), structuredClone(operations), true).newDocument
}

function requestFor ({ given: { kind, key }, object }: Reviewed, old: JsonObject | undefined): ReviewRequest {
  return {
    uid: 'offline',
    operation: operationOn(old),
    group: GROUP,
    version: VERSION,
    kind: kind.kind,
    resource: kind.plural,
    subResource: '',
    ...key,
    dryRun: true,
    user: '',
    object,
    ...(old !== undefined && { oldObject: old })
  }
}
