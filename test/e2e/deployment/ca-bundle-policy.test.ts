import t from 'tap'
import type { JsonObject } from '../../../src/platform/json.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { manifestsOf } from '../../support/programs/product.ts'
import { actorOf, type Outcome } from '../../support/tenants/actor.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { client } = cluster
const admin = actorOf(cluster, { user: 'replica-a', kubeconfig: await cluster.kubeconfigOf('replica-a') })
t.teardown(async () => {
  await admin.close()
  await cluster.stop()
})

const ACCOUNT = 'system:serviceaccount:aim-system:aim-admission'
const RBAC = 'rbac.authorization.k8s.io'
await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
await client.apply(...await manifestsOf('rbac'), ...await manifestsOf('webhooks'))
// the policy must hold whatever RBAC grants
await client.create(`/apis/${RBAC}/v1/clusterrolebindings`, {
  metadata: { name: 'too-much' },
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ kind: 'ServiceAccount', name: 'aim-admission', namespace: 'aim-system' }]
})

const RESOURCES = {
  mutatingwebhookconfigurations: 'MutatingWebhookConfiguration',
  validatingwebhookconfigurations: 'ValidatingWebhookConfiguration'
}
type Send = Parameters<typeof admin.call>[0]
const send = async (resource: string, name: string, call: Omit<Send, 'path'>): Promise<Outcome> =>
  await admin.call({
    path: `/apis/admissionregistration.k8s.io/v1/${resource}${name === '' ? '' : `/${name}`}`,
    ...call,
    options: { as: ACCOUNT, ...call.options }
  })
const jsonPatch = async (resource: string, name: string, body: unknown): Promise<Outcome> =>
  await send(resource, name, { method: 'PATCH', type: 'application/json-patch+json', body })

const LABEL = [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }]
// an API server takes a moment to enforce a new policy
await until(async () => (await send('mutatingwebhookconfigurations', 'aim-admission', {
  method: 'PATCH', type: 'application/json-patch+json', body: LABEL, options: { dryRun: true }
})).code === 422)

const CA_BUNDLE = Buffer.from('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n').toString('base64')
const setBundle = { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: CA_BUNDLE }
const [first, client0] = ['/webhooks/0', '/webhooks/0/clientConfig']

const REFUSED: Readonly<Record<string, readonly object[]>> = {
  rules: [{ op: 'replace', path: `${first}/rules/0/resources`, value: ['secrets'] }],
  'rules together with the caBundle': [
    setBundle, { op: 'replace', path: `${first}/rules/0/resources`, value: ['secrets'] }
  ],
  failurePolicy: [{ op: 'replace', path: `${first}/failurePolicy`, value: 'Ignore' }],
  'a URL instead of the Service': [
    { op: 'remove', path: `${client0}/service` }, { op: 'add', path: `${client0}/url`, value: 'https://evil.example/' }
  ],
  'the Service': [{ op: 'replace', path: `${client0}/service/namespace`, value: 'evil' }],
  'the port of the Service': [{ op: 'replace', path: `${client0}/service/port`, value: 444 }],
  matchConditions: [{ op: 'remove', path: `${first}/matchConditions` }],
  namespaceSelector: [{ op: 'add', path: `${first}/namespaceSelector`, value: {} }],
  objectSelector: [{ op: 'add', path: `${first}/objectSelector`, value: { matchLabels: { a: 'b' } } }],
  timeoutSeconds: [{ op: 'replace', path: `${first}/timeoutSeconds`, value: 30 }],
  'the name of a webhook': [{ op: 'replace', path: `${first}/name`, value: 'other.example.com' }],
  'the number of webhooks': [{ op: 'remove', path: first }],
  labels: LABEL,
  annotations: [{ op: 'add', path: '/metadata/annotations', value: { a: 'b' } }],
  finalizers: [{ op: 'add', path: '/metadata/finalizers', value: ['example.com/a'] }],
  owners: [{
    op: 'add',
    path: '/metadata/ownerReferences',
    value: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'a' }]
  }]
}

for (const [resource, kind] of Object.entries(RESOURCES)) {
  t.test(`serve may change caBundle of its ${kind}, and nothing else`, async (t) => {
    for (const [what, operations] of Object.entries(REFUSED)) {
      const { code, message } = await jsonPatch(resource, 'aim-admission', operations)
      t.equal(code, 422, what)
      t.match(message, /aim-admission may change nothing but clientConfig\.caBundle/, what)
    }
    const merged = await send(resource, 'aim-admission', {
      method: 'PATCH', type: 'application/merge-patch+json', body: { webhooks: [] }
    })
    t.equal(merged.code, 422, 'merge patch')
    const allowed = await jsonPatch(resource, 'aim-admission', [setBundle])
    t.equal(allowed.code, 200, allowed.message)
    const { object } = await send(resource, 'aim-admission', { method: 'GET' })
    const put = await send(resource, 'aim-admission', { method: 'PUT', body: { ...object, webhooks: [] } })
    t.equal(put.code, 422, 'PUT')
  })

  t.test(`serve may not create, change or delete another ${kind}, nor delete its own`, async (t) => {
    const other: JsonObject = {
      apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: 'other' }, webhooks: []
    }
    t.equal((await send(resource, '', { method: 'POST', body: other })).code, 422)
    await client.apply(JSON.stringify(other))
    t.equal((await jsonPatch(resource, 'other', LABEL)).code, 422)
    for (const name of ['other', 'aim-admission']) {
      t.equal((await send(resource, name, { method: 'DELETE' })).code, 422, name)
    }
    const byAdmin = await admin.call({
      method: 'PATCH',
      path: `/apis/admissionregistration.k8s.io/v1/${resource}/aim-admission`,
      type: 'application/json-patch+json',
      body: LABEL
    })
    t.equal(byAdmin.code, 200, 'other users are not limited')
  })
}
