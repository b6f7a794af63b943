/**
 * `npm run bench:creates -- --rounds N`: cost of the webhooks for clients that create services through a real API
 * server. Compares no webhook, bare `node:https`, `node:https` with the product's patch, and the product, in turns:
 * first the mutating webhook alone, then both. All processes share the cores, as on a small control plane.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { newAdmissionEngine } from '../webhooks/engine.ts'
import { decodeReview } from '../src/admission/decode.ts'
import { aReview } from '../test/support/builders/a-review.ts'
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { accessOf } from '../test/support/cluster/cluster-client.ts'
import { manifest, routed } from '../test/support/builders/manifests.ts'
import { installCrds, manifestsOf, ready } from '../test/support/programs/product.ts'
import { startServer } from './support/measured-server.ts'
import { aWorkplace, floorArgs, shippedProgram } from './support/product.ts'
import { median, medianRatio } from './support/statistics.ts'
import type { JsonObject } from '../src/platform/json.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, creates: { type: 'string', default: '1500' } }
})
const [ROUNDS, CREATES] = [Number(values.rounds), Number(values.creates)]
const [CONCURRENCY, WARM_UP] = [16, 300]
/** Time in milliseconds until an API server uses a new registration. */
const REGISTERED_MS = 1_500
const SERVICES = '/apis/aim.silogen.ai/v1alpha1/namespaces/default/aimservices'
const cluster = await startOwnCluster()
const { server, ca, token } = accessOf(cluster.kubeconfig)
const dispatcher = new Agent({ connections: CONCURRENCY, connect: { ca } })
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
const workplace = await aWorkplace()
await installCrds(cluster)
const SPEC = { defaultStorageClassName: 'fast', ...routed('/{.metadata.namespace}/{.metadata.name}') }
const CONFIG = manifest({ kind: 'AIMRuntimeConfig', namespace: 'default', name: 'default', spec: SPEC })
await cluster.client.apply(CONFIG)

interface Webhook { readonly url: string, readonly stop: () => Promise<unknown> }

async function startBare (...patch: string[]): Promise<Webhook> {
  const args = [...floorArgs('https', workplace), ...patch]
  const { url, stop } = await startServer({ name: 'node:https', args, ownCore: false })
  return { url: url.origin, stop }
}

/** Responds with the patch of the product, so that the API server has the same work. */
async function startPatching (): Promise<Webhook> {
  const { webhooks, sinks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  sinks.AIMRuntimeConfig.upsert(JSON.parse(CONFIG) as JsonObject)
  const object = JSON.parse(manifest({ namespace: 'default', name: 's-0' })) as JsonObject
  const review = decodeReview(Buffer.from(aReview({ namespace: 'default', name: 's-0', object })))
  const verdict = review.kind === 'review' ? webhooks[0]?.decide(review.request) : undefined
  return await startBare(
    Buffer.from(JSON.stringify(verdict?.kind === 'patch' ? verdict.operations : [])).toString('base64')
  )
}

const SHIPPED = await shippedProgram()

async function startShipped (): Promise<Webhook> {
  const { certFile, keyFile } = workplace
  const ports = ['--port', '0', '--probe-port', '0']
  const flags = ['--kubeconfig', cluster.kubeconfig, ...ports, '--cert-file', certFile, '--key-file', keyFile]
  const args = [...SHIPPED, 'serve', ...flags]
  const { url, probeUrl = '', stop } = await startServer({ name: 'product', args, ownCore: false })
  await ready(probeUrl)
  return { url: url.origin, stop }
}

type Kinds = 'mutating' | 'both'

async function register ({ url }: Webhook, kinds: Kinds): Promise<void> {
  const registrations = await manifestsOf('webhooks', '--url', url, '--ca-file', workplace.caFile)
  const wanted = registrations.filter((each) => kinds === 'both' || each.includes('"kind":"Mutating'))
  await cluster.client.apply(...wanted)
}

let nextName = 0

async function create (): Promise<void> {
  const body = manifest({ namespace: 'default', name: `s-${nextName++}` })
  const { statusCode, body: answer } = await request(server + SERVICES, { method: 'POST', headers, dispatcher, body })
  const text = await answer.text()
  if (statusCode !== 201) throw new Error(`create returned ${statusCode}: ${text}`)
}

/** Creates per second, `CONCURRENCY` at once. */
async function rateOf (count: number): Promise<number> {
  let left = count
  const from = performance.now()
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => { while (left-- > 0) await create() }))
  return count / (performance.now() - from) * 1_000
}

async function measured (start: (() => Promise<Webhook>) | undefined, kinds: Kinds): Promise<number> {
  const webhook = await start?.()
  if (webhook !== undefined) await register(webhook, kinds)
  await delay(REGISTERED_MS)
  await rateOf(WARM_UP)
  const rate = await rateOf(CREATES)
  await cluster.kubectl(['delete', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', '--all'])
  await delay(REGISTERED_MS)
  await webhook?.stop()
  await request(server + SERVICES, { method: 'DELETE', headers, dispatcher }).then(async ({ body }) => {
    await body.dump()
  })
  return rate
}

const LANES: ReadonlyArray<readonly [name: string, start: (() => Promise<Webhook>) | undefined, kinds: Kinds]> = [
  ['no webhook', undefined, 'mutating'],
  ['node:https, mutating', startBare, 'mutating'],
  ['node:https with the patch, mutating', startPatching, 'mutating'],
  ['product, mutating', startShipped, 'mutating'],
  ['node:https, both', startBare, 'both'],
  ['node:https with the patch, both', startPatching, 'both'],
  ['product, both', startShipped, 'both']
]
const rates = new Map<string, number[]>(LANES.map(([name]) => [name, []]))
try {
  for (let round = 0; round < ROUNDS; round++) {
    // Alternating order: growth over time affects all lanes alike.
    for (const [name, start, kinds] of round % 2 === 0 ? LANES : LANES.toReversed()) {
      const rate = await measured(start, kinds)
      rates.get(name)?.push(rate)
      process.stderr.write(`round ${round + 1}, ${name}: ${rate.toFixed(0)} creates/s\n`)
    }
  }
} finally {
  await dispatcher.close()
  await cluster.stop()
  await workplace.remove()
}

const of = (name: string): number[] => rates.get(name) ?? []
process.stdout.write(
  `${CREATES} creates per round, ${CONCURRENCY} at once, medians of ${ROUNDS} rounds\n` +
  '| webhooks | creates/s | of none | of node:https | of node:https with the patch |\n|---|---|---|---|---|\n'
)
for (const [name, , kinds] of LANES) {
  const among = [of('no webhook'), of(`node:https, ${kinds}`), of(`node:https with the patch, ${kinds}`)].map(
    (others) => `${medianRatio(of(name), others).toFixed(2)} ×`
  )
  process.stdout.write(`| ${[name, median(of(name)).toFixed(0), ...among].join(' | ')} |\n`)
}
