import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { startOwnCluster } from '../../support/cluster/cluster.ts'
import { installDefinitions, operatorDefinitions } from '../../support/operator/install.ts'
import { manifestsOf, startProduct, startReconciler } from '../../support/programs/product.ts'
import { eventually } from '../../support/until.ts'

const cluster = await startOwnCluster()
const { client, dir } = cluster
const product = await startProduct(cluster)
const reconciler = await startReconciler(cluster, ['--admission-probe-interval', '200ms'])
t.teardown(async () => {
  await reconciler.stop()
  await product.stop('SIGKILL')
  await cluster.stop()
})

/** What the leader says of its last probe, once that is this. */
async function probed (want: { readonly success: number, readonly reason?: string }): Promise<string> {
  return await eventually(async () => {
    const metrics = await (await fetch(`${reconciler.probeUrl}/metrics`)).text()
    const said = metrics.includes(`aim_admission_probe_success ${want.success}\n`) &&
      (want.reason === undefined || reconciler.entries.findLast(({ failure }) => failure !== undefined)?.['failure'] === want.reason)
    return said ? metrics : undefined
  })
}

const register = async (url: string, caFile: string): Promise<void> => {
  await client.apply(...await manifestsOf('webhooks', '--url', url, '--ca-file', caFile))
}
const REGISTRATIONS = '/apis/admissionregistration.k8s.io/v1'
const { caFile } = product

t.test('a service that is admitted as it should be is a success, and nothing is stored', async (t) => {
  t.match(await probed({ success: 1 }), /^aim_admission_probe_duration_seconds \d+\.\d+$/m)
  t.equal(await client.values('/apis/aim.silogen.ai/v1alpha1/aimservices', '.items[*].metadata.name'), '')
})

t.test('another CA in the registration', async (t) => {
  const other = path.join(dir, 'other-ca.crt')
  await writeFile(other, (await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })).caPem)
  await register(product.url, other)
  t.match(
    await probed({ success: 0, reason: 'WrongCaBundle' }),
    /^aim_admission_probe_failures_total\{reason="WrongCaBundle"\} [1-9]/m
  )
  await register(product.url, caFile)
  await probed({ success: 1 })
})

t.test('a registration that is gone', async (t) => {
  await client.remove(`${REGISTRATIONS}/mutatingwebhookconfigurations/aim-admission`)
  t.match(await probed({ success: 0, reason: 'NotRegistered' }), /reason="NotRegistered"/)
  await register(product.url, caFile)
  await probed({ success: 1 })
})

t.test('definitions of an operator, which name models another way and default the name of the configuration', async (t) => {
  const theirs = await operatorDefinitions()
  const text = JSON.stringify(theirs).replace('"ref":{"type":"string"}', '"name":{"type":"string"}')
    .replace('has(self.ref)', 'has(self.name)')
  await installDefinitions(cluster, JSON.parse(text) as JsonObject[]) // as above
  await client.remove(`${REGISTRATIONS}/mutatingwebhookconfigurations/aim-admission`)
  t.match(await probed({ success: 0, reason: 'NotRegistered' }), /reason="NotRegistered"/)
  await register(product.url, caFile)
  await probed({ success: 1 })
  await installDefinitions(cluster, customResourceDefinitions())
})

t.test('a policy that refuses the probe', async (t) => {
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'no-services' },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['aim.silogen.ai'], apiVersions: ['*'], operations: ['CREATE'], resources: ['aimservices'] }
        ]
      },
      validations: [{ expression: 'false', message: 'none today' }]
    }
  }
  const binding = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'no-services' },
    spec: { policyName: 'no-services', validationActions: ['Deny'] }
  }
  await client.apply(JSON.stringify(policy), JSON.stringify(binding))
  t.match(await probed({ success: 0, reason: 'Refused' }), /reason="Refused"/)
  await client.remove(`${REGISTRATIONS}/validatingadmissionpolicybindings/no-services`)
  await probed({ success: 1 })
})

t.test('no server behind the registration', async (t) => {
  await register('https://127.0.0.1:1', caFile)
  t.match(await probed({ success: 0, reason: 'NoEndpoint' }), /reason="NoEndpoint"/)
  await register(product.url, caFile)
  await probed({ success: 1 })
})

t.test('no API server', async (t) => {
  await cluster.killApiServer()
  t.match(await probed({ success: 0, reason: 'ApiServerUnreachable' }), /reason="ApiServerUnreachable"/)
  await cluster.startApiServer()
  await probed({ success: 1 })
})
