import { API_VERSION } from '../../api/meta.ts'
import { isJsonObject, ownObject, ownString } from '../../platform/json.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ApiResponse, SendRequest } from '../client/api-connection.ts'
import { statusOf } from '../client/status.ts'
import type { Clock } from '../../platform/clock.ts'

/**
 * Why a service would not be admitted as it should. `NotRegistered`: the API server stored it without asking.
 * `Refused`: a webhook or the schema refuses it.
 * `Forbidden`: this program may not create services. `NotFound`: the namespace or the kind is not there.
 * `WebhookFailed`: any other failed call.
 */
export const PROBE_FAILURES = [
  'WrongCaBundle', 'InvalidCertificate', 'NoEndpoint', 'TimedOut', 'WebhookFailed', 'NotRegistered', 'Refused', 'Forbidden', 'NotFound', 'ApiServerUnreachable'
] as const
export type ProbeFailure = typeof PROBE_FAILURES[number]

export type ProbeResult =
  | { readonly kind: 'success' }
  | { readonly kind: 'failed', readonly failure: ProbeFailure, readonly message: string }

export interface AdmissionProbeOptions {
  readonly request: SendRequest
  readonly clock: Clock
  /** Must not be exempt from the webhooks. */
  readonly namespace: string
  /** Asked right before the request leaves: whether this replica still leads. */
  readonly mayLeave: () => boolean
}

/** Longest wait for an answer, in milliseconds: two webhooks of 5 s each, and some. */
const PROBE_LIMIT_MS = 12_000

/**
 * Has the API server admit a service without storing it, and looks whether the answer carries what admission writes.
 * Never rejects.
 */
export async function probeAdmission ({ request, clock, namespace, mayLeave }: AdmissionProbeOptions): Promise<ProbeResult> {
  const attempt = new AbortController()
  const cancel = clock.setTimeout(PROBE_LIMIT_MS, () => {
    attempt.abort(new Error(`the API server did not answer within ${PROBE_LIMIT_MS / 1_000} s`))
  })
  try {
    return await resultOf(await request(`/apis/${API_VERSION}/namespaces/${namespace}/aimservices`, {
      method: 'POST',
      query: { dryRun: 'All', fieldManager: 'aim-admission-probe' },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(PROBE),
      signal: attempt.signal,
      mayLeave
    }))
  } catch (error) {
    return { kind: 'failed', failure: 'ApiServerUnreachable', message: errorMessage(error) }
  } finally {
    cancel()
  }
}

/**
 * Asks for no route, so that no template of a configuration can be in its way; and has no name of its own that could be
 * taken.
 */
const PROBE = {
  apiVersion: API_VERSION,
  kind: 'AIMService',
  metadata: { generateName: 'aim-admission-probe-' },
  spec: { model: { ref: 'aim-admission-probe' }, routing: { enabled: false } }
}

async function resultOf (response: ApiResponse): Promise<ProbeResult> {
  if (response.statusCode !== 201) {
    const { code, message } = await statusOf(response)
    return { kind: 'failed', failure: failureOf(code, message), message }
  }
  const created: unknown = await response.body.json()
  const name = isJsonObject(created) ? ownString(ownObject(created, 'spec'), 'runtimeConfigName') : ''
  if (name !== '') return { kind: 'success' }
  return {
    kind: 'failed',
    failure: 'NotRegistered',
    message: 'the API server admits services without asking the mutating webhook'
  }
}

/**
 * The API server tells these apart by its sentences alone. Source: apiserver, pkg/admission/plugin/webhook; Go's
 * crypto/x509 and net.
 */
const MESSAGES: ReadonlyArray<readonly [RegExp, ProbeFailure]> = [
  [/denied (the )?request/, 'Refused'],
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
  401: 'Forbidden',
  403: 'Forbidden',
  404: 'NotFound',
  400: 'Refused',
  409: 'Refused',
  422: 'Refused'
}

function failureOf (code: number, message: string): ProbeFailure {
  return MESSAGES.find(([sentence]) => sentence.test(message))?.[1] ?? CODES[code] ?? 'ApiServerUnreachable'
}
