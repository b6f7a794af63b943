/**
 * `npm run bench:config-change -- --changes N`: how long after a configuration was written admission comes out with it,
 * on a real API server. From the moment in which the write is answered, services are created in a dry run, one after
 * the other, by the replica that judged the configuration; after every second write the same is asked of another
 * replica, which has it by its watch alone.
 */
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { own, ownObject } from '../src/platform/json.ts'
import { aReview } from '../test/support/builders/a-review.ts'
import { startCluster } from '../test/support/cluster/cluster.ts'
import { accessOf } from '../test/support/cluster/cluster-client.ts'
import { manifest, routed } from '../test/support/builders/manifests.ts'
import { applied, startProduct } from '../test/support/programs/product.ts'
import { percentile } from './statistics.ts'
import type { JsonObject } from '../src/platform/json.ts'

const { values } = parseArgs({ options: { changes: { type: 'string', default: '1000' } } })
const CHANGES = Number(values.changes)
const NAMESPACE = '/apis/aim.silogen.ai/v1alpha1/namespaces/default'
const SERVICE = manifest({ namespace: 'default', name: 'llama-chat' })

const cluster = await startCluster()
const other = await startProduct(cluster)
const product = await startProduct(cluster) // which is registered in the place of the other
const { server, ca, token } = accessOf(cluster.kubeconfig)
const dispatcher = new Agent({ connect: { ca } })
const unverified = new Agent({ connect: { rejectUnauthorized: false } })
try {
  await applied(
    cluster.kubectl,
    manifest({
      kind: 'AIMRuntimeConfig',
      namespace: 'default',
      name: 'default',
      spec: { defaultStorageClassName: 'class', ...routed('/{.metadata.name}') }
    })
  )
  const found: Readonly<Record<'judge' | 'other', Found>> = {
    judge: { after: [], first: 0 },
    other: { after: [], first: 0 }
  }
  for (let change = 0; change < CHANGES; change++) {
    const wanted = `class-${change}`
    await called('PATCH', '/aimruntimeconfigs/default', JSON.stringify({ spec: { defaultStorageClassName: wanted } }))
    const written = performance.now()
    const who = change % 2 === 0 ? 'judge' : 'other'
    let tries = 0
    let isSeen = false
    while (!isSeen) {
      tries++
      isSeen =
        who === 'judge'
          ? isIn(await called('POST', '/aimservices?dryRun=All', SERVICE), wanted)
          : await answersWith(wanted)
    }
    found[who].after.push(performance.now() - written)
    if (tries === 1) found[who].first++
  }
  for (const [who, { after, first }] of Object.entries(found)) {
    const [median, p99, most] = [0.5, 0.99, 1].map((share) => percentile(after, share).toFixed(1))
    process.stdout.write(
      `${who}: ${after.length} changes, the very next review came out with ${first}; answered ${median} ms after the write, p99 ${p99} ms, at most ${most} ms\n`
    )
  }
} finally {
  await Promise.all([dispatcher.close(), unverified.close(), product.stop(), other.stop()])
  await cluster.stop()
}

interface Found { readonly after: number[], first: number }

function isIn (service: JsonObject, wanted: string): boolean {
  return own(ownObject(ownObject(service, 'spec'), 'resolvedRuntimeConfig'), 'defaultStorageClassName') === wanted
}

async function answersWith (wanted: string): Promise<boolean> {
  const body = aReview({ namespace: 'default', object: JSON.parse(SERVICE) as JsonObject })
  const answer = await request(`${other.url}/mutate/aimservices`, {
    method: 'POST',
    dispatcher: unverified,
    body,
    headers: { 'content-type': 'application/json' }
  })
  const { response } = await answer.body.json() as { response: { patch: string } } // an AdmissionReview with a patch
  return Buffer.from(response.patch, 'base64').toString().includes(`"${wanted}"`)
}

/** Of the API server; throws where it refuses. */
async function called (method: 'PATCH' | 'POST', path: string, body: string): Promise<JsonObject> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const answer = await request(`${server}${NAMESPACE}${path}`, {
    method,
    dispatcher,
    body,
    headers: { authorization: `Bearer ${token}`, 'content-type': type }
  })
  if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${await answer.body.text()}`)
  return await answer.body.json() as JsonObject // what the API server answers with
}
