import { createServer } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { listening } from '../processes.ts'
import { applied } from '../programs/product.ts'

export type Hostility = 'failing' | 'slow'

const NAME = 'hostile'

/** How long a slow webhook holds each request, in milliseconds. */
const HELD_MS = 1_500

/**
 * Another webhook of the cluster, called for the writes of reconcilers in one namespace: `failing` has no server,
 * `slow` admits after a while.
 */
export async function startHostileWebhook (
  { kubectl }: Pick<Cluster, 'kubectl'>, { namespace, how }: { readonly namespace: string, readonly how: Hostility }
): Promise<{ readonly stop: () => Promise<void> }> {
  const { caPem, certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    text(request).then(async (body) => {
      const { request: { uid } } = JSON.parse(body) as { request: { uid: string } } // as the API server sends it
      await delay(HELD_MS)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({
        apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true }
      }))
    }, () => { response.destroy() })
  })
  const port = await listening(server)
  const url = `https://127.0.0.1:${how === 'slow' ? port : 1}/`
  await applied(kubectl, JSON.stringify({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [{
      name: 'hostile.example.com',
      clientConfig: { url, caBundle: Buffer.from(caPem).toString('base64') },
      rules: [{
        apiGroups: ['aim.silogen.ai'],
        apiVersions: ['*'],
        operations: ['UPDATE'],
        resources: ['aimservices', 'aimservices/status']
      }],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      matchConditions: [{ name: 'reconcilers', expression: "request.userInfo.username.startsWith('replica-')" }],
      failurePolicy: 'Fail',
      sideEffects: 'None',
      timeoutSeconds: 10,
      admissionReviewVersions: ['v1']
    }]
  }))
  return {
    stop: async () => {
      await kubectl(['delete', 'validatingwebhookconfiguration', NAME])
      server.close()
      server.closeAllConnections()
    }
  }
}
