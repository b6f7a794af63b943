import { API_VERSION, BLOCK_ANNOTATION } from '../../api/meta.ts'
import { annotationOf } from '../../api/object-meta.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { ownObject, ownStrings, type JsonObject } from '../../platform/json.ts'
import type { ApiResponse, SendRequest } from '../client/api-connection.ts'
import type { Fencing } from '../client/fencing.ts'
import { parseObject, statusOf } from '../client/responses.ts'

/**
 * Why a service would not be admitted. `NotRegistered`: the API server stored it without calling the webhook.
 * `Refused`: by another webhook or the schema. `Forbidden`: this program may not create services. `NotFound`: the
 * namespace or the kind does not exist. `WebhookFailed`: any other failed call.
 */
export const PROBE_FAILURES = [
  'WrongCaBundle', 'InvalidCertificate', 'NoEndpoint', 'TimedOut', 'WebhookFailed', 'NotRegistered', 'Refused',
  'Forbidden', 'NotFound', 'ApiServerUnreachable'
] as const
type ProbeFailure = typeof PROBE_FAILURES[number]

export type ProbeResult =
  | { readonly kind: 'success' }
  | { readonly kind: 'failed', readonly failure: ProbeFailure, readonly message: string }

export interface AdmissionProbeOptions {
  readonly request: SendRequest
  /** Must not be exempt from the webhooks. */
  readonly namespace: string
  readonly fencing: Fencing
}

/** In milliseconds: two webhooks of 5 s each, and a margin. */
const TIMEOUT_MS = 12_000

/**
 * A probe that has the API server admit a service without storing it, and checks that the response holds what admission
 * writes, or a refusal by this program's own webhook. It never rejects. If the schema refuses the service, it tries
 * those that the served definition allows.
 */
export function admissionProbe ({ request, namespace, fencing }: AdmissionProbeOptions): () => Promise<ProbeResult> {
  let accepted = SPEC
  const attempt = async (spec: JsonObject): Promise<ProbeResult> =>
    await resultOf(await request(`/apis/${API_VERSION}/namespaces/${namespace}/aimservices`, {
      method: 'POST',
      query: { dryRun: 'All', fieldManager: 'aim-admission-probe' },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...PROBE, spec }),
      timeoutMs: TIMEOUT_MS,
      fencing
    }))
  const attemptOthers = async (refused: ProbeResult): Promise<ProbeResult> => {
    for (const spec of servedSpecs(await servedSchema(request))) {
      const result = await attempt(spec)
      if (isOfSchema(result)) continue
      accepted = spec
      return result
    }
    return refused
  }
  return async () => {
    try {
      const result = await attempt(accepted)
      return isOfSchema(result) ? await attemptOthers(result) : result
    } catch (error) {
      return { kind: 'failed', failure: 'ApiServerUnreachable', message: errorMessage(error) }
    }
  }
}

/** Admission alone writes the record, so it removes or replaces this one. */
const MARK = { [BLOCK_ANNOTATION]: 'probe' }

/** With a generated name, which cannot be taken. */
const PROBE = {
  apiVersion: API_VERSION,
  kind: 'AIMService',
  metadata: { generateName: 'aim-admission-probe-', annotations: MARK }
}

/** Without a route, so that no path template can fail it. */
const SPEC: JsonObject = { model: { ref: 'aim-admission-probe' }, routing: { enabled: false } }

/** Whether the schema refused the service, not a webhook or policy. */
function isOfSchema (result: ProbeResult): boolean {
  return result.kind === 'failed' && result.failure === 'Refused' && !DENIED.test(result.message)
}

/** The schema of a service's spec in the OpenAPI document, which every authenticated user may read; can be empty. */
async function servedSchema (request: SendRequest): Promise<JsonObject> {
  const response = await request(`/openapi/v3/apis/${API_VERSION}`, { timeoutMs: TIMEOUT_MS })
  const schemas = ownObject(ownObject(parseObject(await response.body.text()), 'components'), 'schemas')
  const service = Object.keys(schemas).find((name) => name.endsWith('.AIMService'))
  return ownObject(ownObject(ownObject(schemas, service ?? ''), 'properties'), 'spec')
}

/** The smallest specs that a schema allows, one for each way to name a model. */
function servedSpecs (schema: JsonObject): JsonObject[] {
  const fields = ownObject(schema, 'properties')
  const model = ownObject(fields, 'model')
  const ways = ['ref', 'name', 'image'].filter((field) => field in ownObject(model, 'properties'))
  return ways.map((way) => ({
    ...smallestObject(schema),
    model: { ...smallestObject(model), [way]: 'aim-admission-probe' },
    ...('routing' in fields && { routing: { ...smallestObject(ownObject(fields, 'routing')), enabled: false } })
  }))
}

function smallestObject (schema: JsonObject): JsonObject {
  const fields = ownObject(schema, 'properties')
  return Object.fromEntries(ownStrings(schema, 'required').map((field) => [field, smallest(ownObject(fields, field))]))
}

/** The smallest value that a schema allows, apart from its patterns and rules. */
function smallest (schema: JsonObject): unknown {
  const [choice] = ownStrings(schema, 'enum')
  switch (schema['type']) {
    case 'object': return smallestObject(schema)
    case 'array': return schema['minItems'] === undefined ? [] : [smallest(ownObject(schema, 'items'))]
    case 'boolean': return false
    case 'string': return choice ?? 'aim-admission-probe'
    default: return schema['minimum'] ?? 1
  }
}

async function resultOf (response: ApiResponse): Promise<ProbeResult> {
  if (response.statusCode !== 201) {
    const { code, message, causes } = await statusOf(response)
    if (DENIED.test(message) && causes.some(provesAdmission)) return { kind: 'success' }
    return { kind: 'failed', failure: failureOf(code, message), message }
  }
  const created = parseObject(await response.body.text())
  if (annotationOf(created, BLOCK_ANNOTATION) !== MARK[BLOCK_ANNOTATION]) return { kind: 'success' }
  const message = 'the API server admits services without calling the mutating webhook'
  return { kind: 'failed', failure: 'NotRegistered', message }
}

/** A fault that this program's own webhooks found, unless it says that the mutating webhook was not called. */
function provesAdmission (cause: string): boolean {
  return cause.startsWith('AIM-') && cause !== 'AIM-BLOCK-MISSING'
}

function failureOf (code: number, message: string): ProbeFailure {
  return MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? CODES[code] ?? 'ApiServerUnreachable'
}

const DENIED = /denied (the )?request/

/**
 * The API server's messages alone distinguish these. Source: apiserver, pkg/admission/plugin/webhook; Go's x509, net.
 */
const MESSAGES: ReadonlyArray<readonly [RegExp, ProbeFailure]> = [
  [DENIED, 'Refused'],
  [
    /certificate signed by unknown authority|unable to load root certificates|parse bytes as PEM block/,
    'WrongCaBundle'
  ],
  [/x509: |tls: failed to verify/, 'InvalidCertificate'],
  [
    /connection refused|connection reset|no endpoints available|no such host|EOF$|service "[^"]*" not found/,
    'NoEndpoint'
  ],
  [/context deadline exceeded|i\/o timeout|Timeout exceeded/, 'TimedOut'],
  [/failed calling webhook/, 'WebhookFailed']
]

const CODES: Readonly<Record<number, ProbeFailure>> = {
  400: 'Refused', 401: 'Forbidden', 403: 'Forbidden', 404: 'NotFound', 409: 'Refused', 422: 'Refused'
}
