import type { Operation } from '../src/api/admission-review.ts'
import type { Kind } from '../src/api/kinds.ts'
import { GROUP, VERSION } from '../src/api/meta.ts'
import type { ReviewRequest } from '../src/admission/request.ts'
import type { Verdict } from '../src/admission/verdict.ts'

/** One entry of a webhook configuration: some operations with one failure policy. */
export interface Registration {
  /** Fully qualified, unique in its configuration. */
  readonly name: string
  readonly operations: readonly Operation[]
  /**
   * `Configured`: the operator's choice (`Fail` by default). `Ignore`: this only warns, and must never be in the way.
   */
  readonly failurePolicy: 'Configured' | 'Ignore'
}

/**
 * One webhook: what it serves, how it is registered, and one pure function that decides. Routing, manifests and docs
 * are read off this.
 */
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
  readonly registrations: readonly Registration[]
  /**
   * A promise where the review has to wait for the watch to deliver something that is known to be on its way; the
   * server bounds it with `signal`.
   */
  readonly arrival?: (request: ReviewRequest, signal: () => AbortSignal) => Promise<void> | undefined
  /** Synchronous, decides over the caches alone, never throws because of input. */
  readonly decide: (request: ReviewRequest) => Verdict
}

/** What a webhook for this kind is called for. */
export function resourceOf ({ plural, kind, scope }: Kind): Webhook['resource'] {
  return { group: GROUP, version: VERSION, resource: plural, kind, scope }
}
