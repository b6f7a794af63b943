/**
 * `npm run bench:config-change -- --changes N`: time from the write of a configuration to the first admission that uses
 * it, on a real API server. Dry-run creates start at the response to the write. They go to the replica that judged the
 * configuration or, after every second write, to another replica, which receives the configuration by its watch.
 */
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { own, ownObject, type JsonObject } from '../src/platform/json.ts'
import { aReview } from '../test/support/builders/a-review.ts'
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { accessOf } from '../test/support/cluster/cluster-client.ts'
import { manifest, routed } from '../test/support/builders/manifests.ts'
import { startProduct } from '../test/support/programs/product.ts'
import { percentile } from './support/statistics.ts'

const { values } = parseArgs({ options: { changes: { type: 'string', default: '1000' } } })
const CHANGES = Number(values.changes)
const NAMESPACE = '/apis/aim.silogen.ai/v1alpha1/namespaces/default'
const SERVICE = manifest({ namespace: 'default', name: 'llama-chat' })

const cluster = await startOwnCluster()
const other = await startProduct(cluster)
const product = await startProduct(cluster) // replaces the registration of the other
const { server, ca, token } = accessOf(cluster.kubeconfig)
const dispatcher = new Agent({ connect: { ca } })
const unverified = new Agent({ connect: { rejectUnauthorized: false } })
try {
  const spec = { defaultStorageClassName: 'class', ...routed('/{.metadata.name}') }
  await cluster.client.apply(manifest({ kind: 'AIMRuntimeConfig', namespace: 'default', name: 'default', spec }))
  const found: Readonly<Record<'judge' | 'other', Found>> =
    { judge: { after: [], first: 0 }, other: { after: [], first: 0 } }
  for (let change = 0; change < CHANGES; change++) {
    const wanted = `class-${change}`
    await called('PATCH', '/aimruntimeconfigs/default', JSON.stringify({ spec: { defaultStorageClassName: wanted } }))
    const written = performance.now()
    const replica = change % 2 === 0 ? 'judge' : 'other'
    let tries = 0
    let isSeen = false
    while (!isSeen) {
      tries++
      isSeen = replica === 'judge'
        ? usesClass(await called('POST', '/aimservices?dryRun=All', SERVICE), wanted)
        : await otherUses(wanted)
    }
    found[replica].after.push(performance.now() - written)
    if (tries === 1) found[replica].first++
  }
  for (const [replica, { after, first }] of Object.entries(found)) {
    const [median, p99, most] = [0.5, 0.99, 1].map((share) => percentile(after, share).toFixed(1))
    process.stdout.write(
      `${replica}: ${after.length} changes, ${first} used by the first review ` +
      `(${(first / after.length).toFixed(2)} ×); median ${median} ms, p99 ${p99} ms, max ${most} ms\n`
    )
  }
} finally {
  await Promise.all([dispatcher.close(), unverified.close(), product.stop(), other.stop()])
  await cluster.stop()
}

/** Milliseconds from each write to its first use, and how often the first review used it. */
interface Found { readonly after: number[], first: number }

function usesClass (service: JsonObject, wanted: string): boolean {
  return own(ownObject(ownObject(service, 'spec'), 'resolvedRuntimeConfig'), 'defaultStorageClassName') === wanted
}

async function otherUses (wanted: string): Promise<boolean> {
  const body = aReview({ namespace: 'default', object: JSON.parse(SERVICE) as JsonObject })
  const response = await request(`${other.url}/mutate/aimservices`, {
    method: 'POST',
    dispatcher: unverified,
    body,
    headers: { 'content-type': 'application/json' }
  })
  // an AdmissionReview with a patch
  const { response: admission } = (await response.body.json()) as { response: { patch: string } }
  return Buffer.from(admission.patch, 'base64').toString().includes(`"${wanted}"`)
}

/** Calls the API server; throws if it refuses. */
async function called (method: 'PATCH' | 'POST', path: string, body: string): Promise<JsonObject> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const response = await request(`${server}${NAMESPACE}${path}`, {
    method,
    dispatcher,
    body,
    headers: { authorization: `Bearer ${token}`, 'content-type': type }
  })
  if (response.statusCode >= 300) {
    throw new Error(`${method} ${path}: ${response.statusCode} ${await response.body.text()}`)
  }
  return await response.body.json() as JsonObject // the stored object
}
