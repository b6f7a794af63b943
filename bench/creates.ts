/**
 * `npm run bench:creates -- --rounds N`: what the webhooks cost who creates services through a real API server: no
 * webhook, a bare `node:https` one, one that answers by the product's own patch, and the product, in turns, first with
 * the mutating webhook alone and then with both. Everything runs on the same cores, as on a small control plane.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { parseAllDocuments } from 'yaml'
import { newAdmissionEngine } from '../webhooks/engine.ts'
import { startCluster } from '../test/support/cluster/cluster.ts'
import { accessOf } from '../test/support/cluster/cluster-client.ts'
import { manifest, routed } from '../test/support/builders/manifests.ts'
import { applied, installCrds, ready } from '../test/support/programs/product.ts'
import { outputOf } from '../test/support/programs/program.ts'
import { medianRatio } from './cpu.ts'
import { startServer } from './measured-server.ts'
import { aWorkplace, shippedProgram } from './product.ts'
import { median } from './statistics.ts'
import type { JsonObject } from '../src/platform/json.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, creates: { type: 'string', default: '1500' } }
})
const [ROUNDS, CREATES] = [Number(values.rounds), Number(values.creates)]
const [CONCURRENCY, WARM_UP] = [16, 300]
/** Until an API server uses a registration that it has just stored, in milliseconds. */
const REGISTERED_MS = 1_500
const SERVICES = '/apis/aim.silogen.ai/v1alpha1/namespaces/default/aimservices'
const cluster = await startCluster()
const { server, ca, token } = accessOf(cluster.kubeconfig)
const dispatcher = new Agent({ connections: CONCURRENCY, connect: { ca } })
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
const workplace = await aWorkplace()
const caFile = path.join(workplace.dir, 'ca.crt')
await writeFile(caFile, workplace.ca)
await installCrds(cluster)
const SPEC = { defaultStorageClassName: 'fast', ...routed('/{.metadata.namespace}/{.metadata.name}') }
const CONFIG = manifest({ kind: 'AIMRuntimeConfig', namespace: 'default', name: 'default', spec: SPEC })
await applied(cluster.kubectl, CONFIG)

interface Webhook { readonly url: string, readonly stop: () => Promise<unknown> }

async function startBare (...patch: string[]): Promise<Webhook> {
  const { url, stop } = await startServer({
    name: 'node:https',
    args: ['bench/floor-https.ts', workplace.certFile, workplace.keyFile, ...patch],
    ownCore: false
  })
  return { url: url.origin, stop }
}

/** With the patch that the product has for such a service, so that the API server has as much to do with the answer. */
async function startPatching (): Promise<Webhook> {
  const { webhooks, sinks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  sinks.AIMRuntimeConfig.upsert(JSON.parse(CONFIG) as JsonObject)
  const object = JSON.parse(manifest({ namespace: 'default', name: 's-0' })) as JsonObject
  const verdict = webhooks[0]?.decide({ ...NO_REQUEST, object })
  return await startBare(
    Buffer.from(JSON.stringify(verdict?.kind === 'patch' ? verdict.operations : [])).toString('base64')
  )
}

const NO_REQUEST = {
  uid: 'none', operation: 'CREATE', group: '', version: '', kind: '', resource: '', subResource: '', name: 's-0', namespace: 'default', dryRun: false, user: ''
} as const

const SHIPPED = await shippedProgram()

async function startOurs (): Promise<Webhook> {
  const { certFile, keyFile } = workplace
  const flags = [
    '--kubeconfig',
    cluster.kubeconfig,
    '--port',
    '0',
    '--probe-port',
    '0',
    '--cert-file',
    certFile,
    '--key-file',
    keyFile
  ]
  const {
    url,
    probeUrl = '',
    stop
  } = await startServer({ name: 'product', args: [...SHIPPED, 'serve', ...flags], ownCore: false })
  await ready(probeUrl)
  return { url: url.origin, stop }
}

type Kinds = 'mutating' | 'both'

async function register ({ url }: Webhook, kinds: Kinds): Promise<void> {
  const documents = parseAllDocuments(await outputOf(['manifests', 'webhooks', '--url', url, '--ca-file', caFile]))
  const items = documents
    .map((document) => document.toJS() as { kind: string })
    .filter(({ kind }) => kinds === 'both' || kind.startsWith('Mutating'))
  await applied(cluster.kubectl, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
}

let made = 0

async function create (): Promise<void> {
  const body = manifest({ namespace: 'default', name: `s-${made++}` })
  const { statusCode, body: answer } = await request(server + SERVICES, { method: 'POST', headers, dispatcher, body })
  const text = await answer.text()
  if (statusCode !== 201) throw new Error(`a create was answered ${statusCode}: ${text}`)
}

/** Creates a second, so many at once. */
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
  ['product, mutating', startOurs, 'mutating'],
  ['node:https, both', startBare, 'both'],
  ['node:https with the patch, both', startPatching, 'both'],
  ['product, both', startOurs, 'both']
]
const rates = new Map<string, number[]>(LANES.map(([name]) => [name, []]))
try {
  for (let round = 0; round < ROUNDS; round++) {
    // forwards, then backwards: whatever grows with time falls on all alike
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
  `${CREATES} creates a round, ${CONCURRENCY} at once, medians of ${ROUNDS} rounds\n| webhooks | creates/s | of none | of node:https | of node:https with the patch |\n|---|---|---|---|---|\n`
)
for (const [name, , kinds] of LANES) {
  const among = [of('no webhook'), of(`node:https, ${kinds}`), of(`node:https with the patch, ${kinds}`)].map(
    (others) => `${medianRatio(of(name), others).toFixed(2)} ×`
  )
  process.stdout.write(`| ${[name, median(of(name)).toFixed(0), ...among].join(' | ')} |\n`)
}
