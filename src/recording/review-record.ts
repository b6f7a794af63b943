import { Ajv } from 'ajv'
import Type from 'typebox'
import type { Static } from 'typebox'
import type { ReviewRequest } from '../admission/request.ts'
import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import { ROLLOUT_ANNOTATION } from '../api/meta.ts'
import { fieldsNamed } from '../core/path/template.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { StoredService } from '../core/settings/service.ts'
import type { ServicePolicy } from '../core/rules/service.ts'
import type { ReplayedResponse } from './replayed-response.ts'
import { redactObject, type Redaction } from './redact-object.ts'
import type { Evidence } from './recording-world.ts'

const anObject = Type.Unsafe<JsonObject>({ type: 'object' })
const gateway = Type.Object({
  group: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
  name: Type.String(),
  sectionName: Type.Optional(Type.String()),
  port: Type.Optional(Type.Integer())
})

/** The form of a record; another number means another form. */
export const RECORD_FORMAT = 1

const recordSchema = Type.Object({
  format: Type.Literal(RECORD_FORMAT),
  /** Of the program that gave the answer. */
  version: Type.String(),
  webhook: Type.String(),
  policy: Type.Object({
    missingConfig: Type.Union([Type.Literal('warn'), Type.Literal('refuse')]), missingBlock: Type.Union([Type.Literal('refuse'), Type.Literal('admit')])
  }),
  /** The AdmissionReview, redacted, without who asked. */
  review: anObject,
  /** Those that were looked up and are there. */
  configs: Type.Array(Type.Object({
    kind: Type.Union([Type.Literal('AIMRuntimeConfig'), Type.Literal('AIMClusterRuntimeConfig')]), object: anObject, justCome: Type.Boolean()
  })),
  /** The services that were looked at. */
  services: Type.Array(anObject),
  /** Paths of other services that were in the way, or above or below. */
  paths: Type.Array(Type.Object({
    service: Type.Object({ namespace: Type.String(), name: Type.String() }), gateway, path: Type.String(), since: Type.String()
  })),
  answer: Type.Unsafe<ReplayedResponse>({ type: 'object' })
})

/** One review with all that its answer depends on, and the answer. */
export type ReviewRecord = Static<typeof recordSchema>

/** A review as it was judged. */
export interface JudgedReview {
  readonly webhook: string
  readonly request: ReviewRequest
  readonly evidence: Evidence
  readonly answer: ReplayedResponse
}

/** The record of a review. */
export function recordOf ({ webhook, request, evidence, answer }: JudgedReview, { version, policy, standIn }: RecordOptions): ReviewRecord {
  const redaction = { standIn, kept: new Set(templatesIn(request, evidence).flatMap(fieldsNamed)) }
  return {
    format: RECORD_FORMAT,
    version,
    webhook,
    policy,
    review: { apiVersion: REVIEW_API_VERSION, kind: REVIEW_KIND, request: redactRequest(request, redaction) },
    configs: Array.from(evidence.configs, ([config, justCome]) => ({
      kind: config.kind,
      object: configObject(config),
      justCome
    })),
    services: evidence.services.map((service) => serviceObject(service, redaction)),
    paths: [...evidence.claims.values()],
    answer
  }
}

export interface RecordOptions extends Pick<Redaction, 'standIn'> {
  readonly version: string
  readonly policy: ServicePolicy
}

/** A record, or one line that says why the value is none. */
export function readRecord (value: unknown): ReviewRecord | string {
  if (isJsonObject(value) && typeof value['format'] === 'number' && value['format'] !== RECORD_FORMAT) {
    return `a record of format ${value['format']}, which this version does not know; it knows ${RECORD_FORMAT}`
  }
  if (isRecord(value)) return value
  const [error] = isRecord.errors ?? []
  return `no record of a review: ${error?.instancePath.slice(1).replaceAll('/', '.') || 'the line'} ${error?.message ?? 'cannot be read'}`
}

const isRecord = new Ajv().compile<ReviewRecord>(recordSchema)

/** Every template that the answer may have been made by. */
function templatesIn ({ object, oldObject }: ReviewRequest, { configs, services }: Evidence): string[] {
  const own = [object, oldObject].map((given) =>
    ownString(ownObject(ownObject(given ?? {}, 'spec'), 'routing'), 'pathTemplate')
  )
  return [
    ...own,
    ...Array.from(configs.keys(), ({ routing }) => routing.pathTemplate ?? ''),
    ...services.map(({ routing }) => routing.pathTemplate ?? '')
  ]
}

function redactRequest (request: ReviewRequest, redaction: Redaction): JsonObject {
  const { operation, group, version, kind, resource, subResource, namespace, name, dryRun, object, oldObject } = request
  return {
    uid: 'recorded',
    operation,
    kind: { group, version, kind },
    resource: { group, version, resource },
    subResource,
    namespace,
    name,
    dryRun,
    ...(object !== undefined && { object: redactObject(object, redaction) }),
    ...(oldObject !== undefined && { oldObject: redactObject(oldObject, redaction) })
  }
}

/** A configuration holds no value that is to be kept secret, only names. */
function configObject ({ kind, namespace, name, uid, generation, createdAt, deleting, rollout, spec }: RuntimeConfig): JsonObject {
  return {
    kind,
    metadata: {
      name,
      uid,
      ...(namespace !== '' && { namespace }),
      ...(generation > 0 && { generation }),
      ...(createdAt !== '' && { creationTimestamp: createdAt }),
      ...(deleting && { deletionTimestamp: createdAt }),
      ...(rollout !== '' && { annotations: { [ROLLOUT_ANNOTATION]: rollout } })
    },
    spec: JSON.parse(spec) as JsonObject // of one
  }
}

function serviceObject (service: StoredService, redaction: Redaction): JsonObject {
  const { object, block } = service.parse()
  const redacted = redactObject(object, redaction)
  return block === undefined
    ? redacted
    : { ...redacted, spec: { ...ownObject(redacted, 'spec'), resolvedRuntimeConfig: block } }
}
