import { Ajv } from 'ajv'
import Type, { type Static } from 'typebox'
import type { ReviewRequest } from '../admission/request.ts'
import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import { INJECTED_FIELDS_ANNOTATION, BLOCK_ANNOTATION, ROLLOUT_ANNOTATION } from '../api/meta.ts'
import type { ParentReference } from '../api/runtime-config.ts'
import { fieldsNamed } from '../core/path/template.ts'
import type { FieldShape } from '../core/ports.ts'
import { SERVICE_POLICIES, type ServicePolicy } from '../core/rules/service.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { relevantMetadata, type StoredService } from '../core/settings/service.ts'
import { PATH_POLICIES, type PathPolicy } from '../core/world.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { Evidence } from './recording-world.ts'

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
  policy: Type.Unsafe<ServicePolicy>(choicesOf(SERVICE_POLICIES)),
  pathPolicy: Type.Unsafe<PathPolicy>(choicesOf(PATH_POLICIES)),
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

/** The schema of an object with one of the values of each choice. */
function choicesOf (choices: Readonly<Record<string, readonly string[]>>): JsonObject {
  const properties = Object.entries(choices).map(([choice, values]) => [choice, { enum: values }])
  return { type: 'object', required: Object.keys(choices), properties: Object.fromEntries(properties) }
}

/** One review, everything that its response depends on, and the response. */
export type ReviewRecord = Static<typeof recordSchema>

export interface JudgedReview {
  readonly webhook: string
  readonly policy: ServicePolicy
  readonly pathPolicy: PathPolicy
  readonly request: ReviewRequest
  readonly evidence: Evidence
}

interface RecordOptions extends Pick<ReviewRecord, 'version' | 'response'>, Pick<Redaction, 'placeholder'> {}

export function recordOf (
  { webhook, policy, pathPolicy, request, evidence }: JudgedReview, { version, response, placeholder }: RecordOptions
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

interface Redaction {
  /** Replaces a value; equal values get equal placeholders, so that changes stay visible. */
  readonly placeholder: (value: string) => string
  /** Names of annotations that a template reads; they keep their values. */
  readonly kept: ReadonlySet<string>
}

/** Replaces the values of `env` and annotations, and removes status, managed fields and the last applied manifest. */
function redactObject (object: JsonObject, redaction: Redaction): JsonObject {
  const metadata = relevantMetadata(object)
  const spec = own(object, 'spec')
  return withoutUndefined({
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata: withoutUndefined({
      ...metadata, annotations: redactAnnotations(own(metadata, 'annotations'), redaction)
    }),
    spec: isJsonObject(spec) ? redactSpec(spec, redaction) : spec
  })
}

function redactSpec (spec: JsonObject, redaction: Redaction): JsonObject {
  const routing = own(spec, 'routing')
  return withoutUndefined({
    ...spec,
    env: redactEnv(own(spec, 'env'), redaction),
    routing: isJsonObject(routing)
      ? withoutUndefined({ ...routing, annotations: redactAnnotations(own(routing, 'annotations'), redaction) })
      : routing
  })
}

const KEPT_ANNOTATIONS = new Set([ROLLOUT_ANNOTATION, BLOCK_ANNOTATION, INJECTED_FIELDS_ANNOTATION])

function redactAnnotations (annotations: unknown, { placeholder, kept }: Redaction): unknown {
  if (!isJsonObject(annotations)) return redactValue(annotations, placeholder)
  return Object.fromEntries(Object.entries(annotations).map(([key, value]) => {
    const isKept = kept.has(key) || KEPT_ANNOTATIONS.has(key)
    return [key, isKept ? value : redactValue(value, placeholder)]
  }))
}

/** Keeps the name and the reference of each entry. */
function redactEnv (env: unknown, { placeholder }: Redaction): unknown {
  if (!Array.isArray(env)) return redactValue(env, placeholder)
  return env.map((entry: unknown) => {
    if (!isJsonObject(entry)) return redactValue(entry, placeholder)
    const { name, valueFrom, ...others } = entry
    return withoutUndefined({ name, ...redactValues(others, placeholder), valueFrom })
  })
}

/** Keeps only the shape of a value of any type. An empty string reveals nothing and stays. */
function redactValue (value: unknown, placeholder: Redaction['placeholder']): unknown {
  if (value === undefined || value === null || value === '') return value
  if (Array.isArray(value)) return value.map((item) => redactValue(item, placeholder))
  return isJsonObject(value) ? redactValues(value, placeholder) : placeholder(JSON.stringify(value))
}

function redactValues (object: JsonObject, placeholder: Redaction['placeholder']): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, redactValue(value, placeholder)]))
}

/** `fromEntries` defines properties, so a key `__proto__` is data. */
function withoutUndefined (object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
