import { Ajv } from 'ajv'
import Type, { type Static } from 'typebox'
import type { ReviewRequest } from '../admission/request.ts'
import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import { ROLLOUT_ANNOTATION } from '../api/meta.ts'
import type { ParentReference } from '../api/runtime-config.ts'
import type { FieldShape } from '../core/ports.ts'
import { fieldsNamed } from '../core/path/template.ts'
import type { ServicePolicy } from '../core/rules/service.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { StoredService } from '../core/settings/service.ts'
import type { PathPolicy } from '../core/world.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { Evidence } from './recording-world.ts'
import { redactObject, type Redaction } from './redact.ts'

/** Incremented when the schema changes. */
const RECORD_FORMAT = 3

/** The compared fields of a response, in the order of reports. `defect`: why the review could not be judged. */
export const RESPONSE_FIELDS = ['allowed', 'code', 'message', 'causes', 'warnings', 'patch', 'audit', 'defect'] as const
export type ResponseField = typeof RESPONSE_FIELDS[number]

/** Fields that the response does not have are absent. */
export type ReplayedResponse = Readonly<Partial<Record<ResponseField, unknown>>>

const anObject = Type.Unsafe<JsonObject>({ type: 'object' })
const recordSchema = Type.Object({
  format: Type.Literal(RECORD_FORMAT),
  /** Version of the program that responded. */
  version: Type.String(),
  webhook: Type.String(),
  policy: Type.Object({
    missingConfig: Type.Union([Type.Literal('warn'), Type.Literal('refuse')]),
    missingBlock: Type.Union([Type.Literal('refuse'), Type.Literal('admit')])
  }),
  pathPolicy: Type.Object({
    crossNamespaceOverlap: Type.Union([Type.Literal('refuse'), Type.Literal('warn')]),
    pathScope: Type.Union([Type.Literal('any'), Type.Literal('namespace')]),
    pathSegments: Type.Union([Type.Literal('rfc3986'), Type.Literal('dns')]),
    conflictDetails: Type.Union([Type.Literal('shown'), Type.Literal('hidden')]),
    missingDefault: Type.Union([Type.Literal('degraded'), Type.Literal('builtin')]),
    inject: Type.Union([Type.Literal('record'), Type.Literal('record,fields')])
  }),
  /** The AdmissionReview, redacted and without userInfo. */
  review: anObject,
  /** The configurations that were found. */
  configs: Type.Array(Type.Object({
    kind: Type.Union([Type.Literal('AIMRuntimeConfig'), Type.Literal('AIMClusterRuntimeConfig')]),
    object: anObject,
    recent: Type.Boolean()
  })),
  /** Users of a configuration. */
  services: Type.Array(anObject),
  /** Conflicting, covered and covering paths of other services. */
  paths: Type.Array(Type.Object({
    service: Type.Object({ namespace: Type.String(), name: Type.String() }),
    gateway: Type.Unsafe<ParentReference>({ type: 'object', required: ['name'] }),
    path: Type.String(),
    since: Type.String()
  })),
  /** Whether the definition of AIMService has a field, by its path. */
  fields: Type.Record(Type.String(), Type.Boolean()),
  /** What values it allows, by its path as JSON; absent in older records. */
  shapes: Type.Optional(Type.Record(Type.String(), Type.Unsafe<FieldShape>({
    type: 'object', required: ['kind', 'names']
  }))),
  response: Type.Unsafe<ReplayedResponse>({ type: 'object' })
})

/** One review, everything that its response depends on, and the response. */
export type ReviewRecord = Static<typeof recordSchema>

export interface JudgedReview {
  readonly webhook: string
  readonly request: ReviewRequest
  readonly evidence: Evidence
  readonly response: ReplayedResponse
}

export interface RecordOptions extends Pick<Redaction, 'placeholder'> {
  readonly version: string
  readonly policy: ServicePolicy
  readonly pathPolicy: PathPolicy
}

export function recordOf (
  { webhook, request, evidence, response }: JudgedReview, { version, policy, pathPolicy, placeholder }: RecordOptions
): ReviewRecord {
  const redaction = { placeholder, kept: new Set(templatesIn(request, evidence).flatMap(fieldsNamed)) }
  return {
    format: RECORD_FORMAT,
    version,
    webhook,
    policy,
    pathPolicy,
    review: { apiVersion: REVIEW_API_VERSION, kind: REVIEW_KIND, request: redactRequest(request, redaction) },
    configs: Array.from(evidence.configs, ([config, recent]) =>
      ({ kind: config.kind, object: configObject(config), recent })),
    services: evidence.services.flatMap((service) => serviceObject(service, redaction)),
    paths: [...evidence.claims.values()],
    fields: Object.fromEntries(evidence.fields),
    shapes: Object.fromEntries(evidence.shapes),
    response
  }
}

/** Returns a record, or one line that says why the value is not one. */
export function readRecord (value: unknown): ReviewRecord | string {
  if (isJsonObject(value) && typeof value['format'] === 'number' && value['format'] !== RECORD_FORMAT) {
    return `unsupported record format ${value['format']}; this version supports ${RECORD_FORMAT}`
  }
  if (isRecord(value)) return value
  const [error] = isRecord.errors ?? []
  const field = error?.instancePath.slice(1).replaceAll('/', '.') || 'the line'
  return `not a recorded review: ${field} ${error?.message ?? 'is invalid'}`
}

const isRecord = new Ajv().compile<ReviewRecord>(recordSchema)

/** Every template that may have contributed to the response. */
function templatesIn ({ object, oldObject }: ReviewRequest, { configs, services }: Evidence): string[] {
  const own = [object, oldObject].map((given) =>
    ownString(ownObject(ownObject(given ?? {}, 'spec'), 'routing'), 'pathTemplate'))
  const users = services.flatMap((stored) => stored.parse() ?? [])
  return [...own, ...[...configs.keys(), ...users].map(({ routing }) => routing.pathTemplate ?? '')]
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

/** A configuration contains names but no secret values, so nothing is redacted. */
function configObject (config: RuntimeConfig): JsonObject {
  const { kind, namespace, name, uid, generation, createdAt, deleting, rollout, spec } = config
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
    spec: JSON.parse(spec) as JsonObject // canonical JSON of an object
  }
}

/** Empty for a partial service, of which a replay reports no effect. */
function serviceObject (stored: StoredService, redaction: Redaction): JsonObject[] {
  const service = stored.parse()
  if (service === undefined) return []
  const { object, block } = service
  const redacted = redactObject(object, redaction)
  if (block === undefined) return [redacted]
  return [{ ...redacted, spec: { ...ownObject(redacted, 'spec'), resolvedRuntimeConfig: block } }]
}
