import type { JsonObject } from '../../../src/platform/json.ts'

/** The request of a review: by default the CREATE of the AIMService `ml-team/llama-chat`. */
export function aRequest (fields: JsonObject = {}): JsonObject {
  return {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: 'aim.silogen.ai', version: 'v1alpha1', kind: 'AIMService' },
    resource: { group: 'aim.silogen.ai', version: 'v1alpha1', resource: 'aimservices' },
    operation: 'CREATE',
    namespace: 'ml-team',
    name: 'llama-chat',
    dryRun: false,
    userInfo: { username: 'jane' },
    object: { metadata: { namespace: 'ml-team', name: 'llama-chat' }, spec: { model: { ref: 'meta-llama-3-8b' } } },
    oldObject: null,
    ...fields
  }
}

/** A whole review, as JSON. */
export function aReview (request: JsonObject = {}): string {
  return reviewOf(aRequest(request))
}

/** A review with any value as its request, as JSON. */
export function reviewOf (request: unknown): string {
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request })
}
