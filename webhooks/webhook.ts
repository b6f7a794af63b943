import type { Operation } from '../src/api/admission-review.ts'
import type { Kind } from '../src/api/kinds.ts'
import { GROUP, VERSION } from '../src/api/meta.ts'
import type { ReviewRequest } from '../src/admission/request.ts'
import type { Verdict } from '../src/admission/verdict.ts'
import type { Steps } from '../src/platform/steps.ts'

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
  readonly resource: {
    readonly group: string
    readonly version: string
    readonly resource: string
    readonly kind: string
    readonly scope: 'Namespaced' | 'Cluster'
  }
  readonly registrations: readonly WebhookRegistration[]
  /** Resolves when the review need not wait for its configuration any longer; undefined if it need not wait. */
  readonly waitForConfig?: (request: ReviewRequest, signal: () => AbortSignal) => Promise<void> | undefined
  /** Reads caches only, never throws for any input. */
  readonly decide: (request: ReviewRequest) => Verdict
  /** The same decision in steps, for a webhook that may take long. */
  readonly decideInSteps?: (request: ReviewRequest) => Steps<Verdict>
}

export function resourceOf ({ plural, kind, scope }: Kind): Webhook['resource'] {
  return { group: GROUP, version: VERSION, resource: plural, kind, scope }
}
