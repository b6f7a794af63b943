/**
 * `npm run bench:rollout -- --services N --flags "--rollout-rate 300"`: time from a changed configuration to the block
 * and status of every service, and the latency of a user's applies meanwhile. Then, with the reconciler stopped, it
 * measures the floor: a loop of the same two writes. Prints one line of JSON at the end.
 */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import { connectToCluster, type ApiConnection, type ApiRequest } from '../src/kube/client/api-connection.ts'
import { Reflector } from '../src/kube/watch/reflector.ts'
import { systemClock } from '../src/platform/clock.ts'
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { manifest, routed } from '../test/support/builders/manifests.ts'
import { startProduct, startReconciler } from '../test/support/programs/product.ts'
import { silentLog } from '../test/support/fakes/silent-log.ts'
import { pathIn } from '../test/support/tenants/stored.ts'
import { cpuSecondsOf } from './support/measured-server.ts'
import { percentile } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    /** Flags for `reconcile`, separated by spaces. */
    flags: { type: 'string', default: '' },
    /** Applies of a user per second. */
    applies: { type: 'string', default: '10' }
  }
})
const SERVICES = Number(values.services)
const GAP_MS = 1_000 / Number(values.applies)
const COLLECTION = '/apis/aim.silogen.ai/v1alpha1/namespaces/default/aimservices'
const CONFIG = '/apis/aim.silogen.ai/v1alpha1/aimclusterruntimeconfigs/default'
/** Services that the floor writes at once. */
const FLOOR_AT_ONCE = 4
/** Timeout of each wait in milliseconds. */
const LIMIT_MS = 60_000 + SERVICES * 60

const cluster = await startOwnCluster()
const product = await startProduct(cluster)
const reconciler = await startReconciler(cluster, values.flags.split(' ').filter((flag) => flag !== ''))
const users = await connectToCluster({ kubeconfig: cluster.kubeconfig, inFlight: 2 * FLOOR_AT_ONCE, log: silentLog })
/** Paths of the block and the status by service, from a watch. */
const paths = new Map<string, { readonly block: string, readonly status: string }>()
const watch = new Reflector({
  path: COLLECTION,
  request: users.request,
  sink: {
    upsert: (service) => {
      const status = ownString(ownObject(ownObject(service, 'status'), 'routing'), 'path')
      paths.set(ownString(ownObject(service, 'metadata'), 'name'), { block: pathIn(service), status })
    },
    remove: () => {}
  },
  observer: { onSynced: () => {}, onRestart: () => {}, onFailedObject: () => {} },
  log: silentLog,
  clock: systemClock,
  random: Math.random
})
watch.start()
try {
  process.stdout.write(`${JSON.stringify(await measure())}\n`)
} finally {
  await watch.stop()
  await users.close()
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
}

async function measure (): Promise<JsonObject> {
  await configure(users, 0)
  const created = await timed(async () => { await inParallel(SERVICES, 4, createService) })
  await createUsers()
  await until(() => state(0).statuses === SERVICES)
  await settled()
  const idle = await appliesDuring(async () => { await delay(10_000) })
  const before = await requests()
  const cpuBefore = cpuSeconds()
  let blocksMs = 0
  let statusesMs = 0
  const busy = await appliesDuring(async () => {
    const from = performance.now()
    await configure(users, 1)
    await until(() => {
      const { blocks, statuses } = state(1)
      if (blocks === SERVICES && blocksMs === 0) blocksMs = performance.now() - from
      statusesMs = performance.now() - from
      return blocks === SERVICES && statuses === SERVICES
    })
  })
  const cpu = Object.fromEntries(Object.entries(cpuSeconds()).map(([name, after]) =>
    [name, Math.round((after - (cpuBefore[name] ?? 0)) * 100) / 100]))
  await settled()
  const sent = difference(before, await requests())
  const writes = sum(sent, ({ method }) => method === 'PATCH')
  const failed = sum(sent, ({ method, code }) => method === 'PATCH' && code !== '200')
  const services = ownObject(ownObject(await object(CONFIG), 'status'), 'services')
  const floor = await measureFloor()
  const result = {
    services: SERVICES,
    perSecond: { product: rate(statusesMs), floor: rate(floor.ms) },
    ofFloor: Math.round(floor.ms / statusesMs * 100) / 100,
    floorUserMs: { p50: quantile(floor.applies, 0.5), p99: quantile(floor.applies, 0.99) },
    createSeconds: seconds(created),
    blocksSeconds: seconds(blocksMs),
    statusesSeconds: seconds(statusesMs),
    writes,
    failedWrites: failed,
    failedPercent: Math.round(failed / Math.max(1, writes) * 10_000) / 100,
    writesPerService: Math.round(writes / SERVICES * 100) / 100,
    counters: services,
    countersExact:
      own(services, 'total') === SERVICES && own(services, 'current') === SERVICES && own(services, 'failing') === 0,
    cpuSeconds: cpu,
    userApplies: { idle: idle.length, busy: busy.length },
    userP50Ms: { idle: quantile(idle, 0.5), busy: quantile(busy, 0.5) },
    userP99Ms: { idle: quantile(idle, 0.99), busy: quantile(busy, 0.99) },
    userP99Ratio: Math.round(quantile(busy, 0.99) / quantile(idle, 0.99) * 100) / 100
  }
  print(result)
  return result
}

/** The reconciler is stopped: each service is admitted again, and its status applied, by a loop that does no more. */
async function measureFloor (): Promise<{ readonly ms: number, readonly applies: number[] }> {
  await reconciler.stop()
  await configure(users, 2)
  await delay(2_000) // the webhook has the configuration
  let ms = 0
  const applies = await appliesDuring(async () => {
    ms = await timed(async () => { await inParallel(SERVICES, FLOOR_AT_ONCE, writeTwice) })
  })
  if (state(2).blocks < SERVICES) throw new Error('the floor did not change every block')
  return { ms, applies }
}

async function writeTwice (index: number): Promise<void> {
  const name = `s-${index}`
  const path = `${COLLECTION}/${name}`
  await send({ method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' }, body: '{}' }, path)
  await send({
    method: 'PATCH',
    query: { fieldManager: 'floor', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify({
      apiVersion: 'aim.silogen.ai/v1alpha1',
      kind: 'AIMService',
      metadata: { name, namespace: 'default' },
      status: { routing: { path: `/v2/${name}` } }
    })
  }, `${path}/status`)
}

function rate (ms: number): number {
  return Math.round(SERVICES * 10_000 / ms) / 10
}

function print (result: JsonObject): void {
  for (const [name, value] of Object.entries(result)) {
    process.stdout.write(`${name.padEnd(18)} ${isJsonObject(value) ? JSON.stringify(value) : String(value)}\n`)
  }
}

/** CPU time of each program in seconds. */
function cpuSeconds (): Record<string, number> {
  const children = readdirSync('/proc/self/task').flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter((pid) => pid !== '')
  )
  return Object.fromEntries([...children, String(process.pid)].map((pid) => {
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const command = args.find((arg) => arg === 'serve' || arg === 'reconcile')
    const name = pid === String(process.pid) ? 'load' : command ?? path.basename(program)
    return [name, cpuSecondsOf(pid)]
  }))
}

function seconds (ms: number): number {
  return Math.round(ms / 10) / 100
}

async function createService (index: number): Promise<void> {
  const body = manifest({ namespace: 'default', name: `s-${index}` })
  await send({ method: 'POST', body, headers: { 'content-type': 'application/json' } }, COLLECTION)
}

/** The user's services use another configuration, so that only the load affects them. */
async function createUsers (): Promise<void> {
  await cluster.kubectl(['create', 'namespace', 'people'])
  const config = manifest({ kind: 'AIMRuntimeConfig', namespace: 'people', name: 'default' })
  await cluster.kubectl(['apply', '-f', '-'], config)
}

async function configure (connection: ApiConnection, version: number): Promise<void> {
  const spec = routed(`/v${version}/{.metadata.name}`)
  const body = manifest({ kind: 'AIMClusterRuntimeConfig', name: 'default', spec })
  const response = await connection.request(CONFIG, {
    method: 'PATCH',
    query: { fieldManager: 'bench', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body
  })
  const text = await response.body.text()
  if (response.statusCode > 299) throw new Error(text)
}

/** Number of blocks and of statuses with that version of the configuration. */
function state (version: number): { blocks: number, statuses: number } {
  const start = `/v${version}/`
  const all = [...paths.values()]
  return {
    blocks: all.filter(({ block }) => block.startsWith(start)).length,
    statuses: all.filter(({ status }) => status.startsWith(start)).length
  }
}

/** Waits until the reconciler has written no object for three seconds. Events of the rollout may still follow. */
async function settled (): Promise<void> {
  const changes = async (): Promise<number> => sum(await requests(), ({ method }) => method === 'PATCH')
  for (let last = -1, quiet = 0; quiet < 3;) {
    const now = await changes()
    quiet = now === last ? quiet + 1 : 0
    last = now
    await delay(1_000)
  }
}

/** One user applies at a fixed rate during the work. Returns the milliseconds of each apply. */
async function appliesDuring (work: () => Promise<void>): Promise<number[]> {
  const took: number[] = []
  const under: Array<Promise<void>> = []
  const done = new AbortController()
  const finished = work().finally(() => { done.abort() })
  for (let index = 0, from = performance.now(); !done.signal.aborted; index++) {
    await delay(Math.max(0, from + index * GAP_MS - performance.now()))
    under.push(timed(async () => { await applyAsUser(index) }).then((ms) => { took.push(ms) }))
  }
  await Promise.all([...under, finished])
  return took
}

async function applyAsUser (index: number): Promise<void> {
  const name = `u-${index % 20}`
  await send({
    method: 'PATCH',
    query: { fieldManager: 'user', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: manifest({ namespace: 'people', name, labels: { turn: String(index) } })
  }, `/apis/aim.silogen.ai/v1alpha1/namespaces/people/aimservices/${name}`)
}

async function send (request: ApiRequest, path: string): Promise<void> {
  const { statusCode, body } = await users.request(path, request)
  const text = await body.text()
  if (statusCode > 299) throw new Error(`${path} returned ${statusCode}: ${text}`)
}

async function object (path: string): Promise<JsonObject> {
  const { body } = await users.request(path)
  return await body.json() as JsonObject // the stored object
}

interface Sent { readonly method: string, readonly code: string, readonly count: number }

/** Requests of the reconciler, from its metrics. */
async function requests (): Promise<Sent[]> {
  const text = await (await fetch(`${reconciler.probeUrl}/metrics`)).text()
  return [...text.matchAll(/^rest_client_requests_total\{method="(\w+)",code="([^"]+)"\} (\d+)/gm)].map(
    ([, method = '', code = '', count]) => ({ method, code, count: Number(count) })
  )
}

function difference (before: readonly Sent[], after: readonly Sent[]): Sent[] {
  return after.map((sent) => ({
    ...sent,
    count: sent.count - (before.find(({ method, code }) => method === sent.method && code === sent.code)?.count ?? 0)
  }))
}

function sum (sent: readonly Sent[], which: (sent: Sent) => boolean): number {
  return sent.filter(which).reduce((total, { count }) => total + count, 0)
}

async function timed (work: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

async function inParallel (count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => { while (next < count) await work(next++) }))
}

async function until (holds: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`timed out after ${LIMIT_MS / 1_000} s`)
    await delay(50)
  }
}

function quantile (values: readonly number[], share: number): number {
  return Math.round(percentile(values, share) * 10) / 10
}
