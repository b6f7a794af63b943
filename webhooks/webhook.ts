import type { Operation } from '../src/api/admission-review.ts'
import type { Kind } from '../src/api/kinds.ts'
import { GROUP, VERSION } from '../src/api/meta.ts'
import type { ReviewRequest } from '../src/admission/request.ts'
import type { AuditAnnotations, Verdict } from '../src/admission/verdict.ts'
import type { Steps } from '../src/platform/steps.ts'
import type { Fault } from '../src/core/faults.ts'
import type { Assessment } from '../src/core/settings/assess.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'
import { configTitle, type UsedConfig } from '../src/core/settings/runtime-config.ts'

/** One entry of a webhook configuration. */
export interface WebhookRegistration {
  /** Fully qualified, unique in its configuration. */
  readonly name: string
  readonly operations: readonly Operation[]
  /** `Configured`: the operator's choice (`Fail` by default). `Ignore`: for a webhook that only warns. */
  readonly failurePolicy: 'Configured' | 'Ignore'
}

/** One webhook: what it serves, how it is registered, and how it decides. The server, manifests and docs use it. */
export interface Webhook {
  /** Label value of the metrics: `mutate-aimservices`. */
  readonly name: string
  readonly path: `/${string}`
  readonly type: 'mutating' | 'validating'
  readonly resource: ReturnType<typeof resourceOf>
  readonly registrations: readonly WebhookRegistration[]
  /** Resolves when the review need not wait for its configuration any longer; undefined if it need not wait. */
  readonly waitForConfig?: (request: ReviewRequest, signal: () => AbortSignal) => Promise<void> | undefined
  /** Reads caches only, never throws for any input. */
  readonly decide: (request: ReviewRequest) => Verdict
  /** The same decision in steps, for a webhook that may take long. */
  readonly decideInSteps?: (request: ReviewRequest) => Steps<Verdict>
}

export function resourceOf ({ plural, kind, scope }: Pick<Kind, 'plural' | 'scope'> & { readonly kind: string }) {
  return { group: GROUP, version: VERSION, resource: plural, kind, scope }
}

/** Refuses if there are faults, which replace the warnings. Without faults it admits. */
export function verdictOf (
  faults: readonly Fault[],
  { warnings, audit }: { readonly warnings: readonly string[], readonly audit: AuditAnnotations }
): Verdict {
  const [first, ...more] = faults
  if (first === undefined) return { kind: 'admit', warnings, audit }
  const codes = [...new Set(faults.map(({ code }) => code))].join(',')
  return { kind: 'deny', faults: [first, ...more], warnings: [], audit: { ...audit, faults: codes } }
}

/** Refuses an object that violates its schema, in case the API server's definition allows it. */
export function refuseMalformed ({ field, expected }: Malformed): Verdict {
  const message = `${field} is not ${expected}; see the allowed type with kubectl explain`
  return verdictOf([{ code: 'AIM-OBJECT-MALFORMED', field, message }], { warnings: [], audit: {} })
}

/** For the audit log: the configuration of a service and its path. The API server prefixes keys with the webhook. */
export function serviceAudit ({ config, block }: Assessment): AuditAnnotations {
  if (config === undefined) return { config: 'missing' }
  return { ...configAudit(config), ...(block?.routing.path !== undefined && { path: block.routing.path }) }
}

/** For the audit log: the configuration in the version of the request. */
export function configAudit (config: UsedConfig): AuditAnnotations {
  return { config: configTitle(config), hash: config.hash }
}
