import jsonpatch from 'fast-json-patch'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { ReviewRequest } from '../admission/review-request.ts'
import type { PatchOperation } from '../api/admission-review.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import type { Kind } from '../api/kinds.ts'
import { GROUP, VERSION } from '../api/meta.ts'
import type { JsonObject } from '../api/meta.ts'
import type { FieldError } from '../api/validate-object.ts'
import type { ObjectSink } from '../core/ports.ts'
import { objectTitle } from '../local/local-object.ts'
import type { LocalObject } from '../local/local-object.ts'

/** The webhooks, over a world that is empty at first and learns what the sinks are fed. */
export interface Admission {
  readonly webhooks: readonly Webhook[]
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
}

/** What came of one object. */
export interface Reviewed<T extends LocalObject = LocalObject> {
  readonly given: T
  /** Empty: it is admitted. */
  readonly faults: readonly FieldError[]
  readonly warnings: readonly string[]
  readonly patch: readonly PatchOperation[]
  /** As it would be stored; as it was given where it is refused. */
  readonly object: JsonObject
}

/**
 * Admits the objects as if they were created in a cluster that has none yet: configurations first, then services, each in its turn.
 * What is admitted is known to those after it. Results come in the order of the objects.
 */
export function reviewObjects<T extends LocalObject> (objects: readonly T[], admission: Admission): Reviewed<T>[] {
  const services = objects.filter(({ kind }) => kind === AIM_SERVICE)
  const configs = objects.filter(({ kind }) => kind !== AIM_SERVICE)
  const titles = new Set<string>()
  const reviewed = new Map([...configs, ...services].map((given) => {
    const result = titles.has(objectTitle(given)) ? refused(given, [ALREADY_THERE]) : review(given, admission)
    if (given.key.name !== '') titles.add(objectTitle(given))
    return [given, result]
  }))
  return objects.flatMap((given) => reviewed.get(given) ?? [])
}

const ALREADY_THERE: FieldError = {
  field: 'metadata.name', message: 'an object of this kind and name comes earlier in the files: give it another name, or remove one of the two'
}

function review<T extends LocalObject> (given: T, { webhooks, sinks }: Admission): Reviewed<T> {
  const { kind: { kind }, key, errors } = given
  if (errors.length > 0) return refused(given, errors)
  const start: Reviewed<T> = { given, faults: [], warnings: [], patch: [], object: given.object }
  const result = webhooksOf(kind, webhooks).reduce((before, webhook) => afterWebhook(before, webhook), start)
  if (result.faults.length > 0) return { ...refused(given, result.faults), warnings: result.warnings }
  if (key.name !== '') sinks[kind].upsert(result.object)
  return result
}

function refused<T extends LocalObject> (given: T, faults: readonly FieldError[]): Reviewed<T> {
  return { given, faults, warnings: [], patch: [], object: given.object }
}

/** Those that are asked when an object of the kind is created, mutating ones first. */
function webhooksOf (kind: Kind['kind'], webhooks: readonly Webhook[]): readonly Webhook[] {
  const asked = webhooks.filter(({ resource, registrations }) =>
    resource.kind === kind && registrations.some(({ operations }) => operations.includes('CREATE')))
  return [...asked.filter(({ type }) => type === 'mutating'), ...asked.filter(({ type }) => type === 'validating')]
}

/** The API server asks nobody further once an object is refused. */
function afterWebhook<T extends LocalObject> (before: Reviewed<T>, webhook: Webhook): Reviewed<T> {
  if (before.faults.length > 0) return before
  const verdict = webhook.decide(createRequest(before))
  const after = { ...before, warnings: [...new Set([...before.warnings, ...verdict.warnings])] }
  switch (verdict.kind) {
    case 'admit': return after
    case 'deny': return { ...after, faults: verdict.faults }
    case 'patch': return { ...after, patch: [...before.patch, ...verdict.operations], object: patched(before.object, verdict.operations) }
  }
}

function patched (object: JsonObject, operations: readonly PatchOperation[]): JsonObject {
  return jsonpatch.applyPatch(structuredClone(object), structuredClone(operations), true).newDocument
}

function createRequest ({ given: { kind, key }, object }: Reviewed): ReviewRequest {
  return {
    uid: 'offline',
    operation: 'CREATE',
    group: GROUP,
    version: VERSION,
    kind: kind.kind,
    resource: kind.plural,
    subResource: '',
    ...key,
    dryRun: true,
    user: '',
    object
  }
}
