/**
 * `npm run bench:tenants -- --runs N`: latency of one tenant's creates at a fixed rate, quiet and while another tenant
 * does its worst. A real API server has two replicas of `serve` and a reconciler. Prints failures, p99, the ratio to
 * quiet (medians of the runs), the CPU time, and the peak memory. `--floor` measures the API server alone.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { JsonObject } from '../src/platform/json.ts'
import { routed } from '../test/support/builders/manifests.ts'
import { createLoad, type LoadResult } from '../test/support/cluster/create-load.ts'
import { refOf } from '../test/support/tenants/actor.ts'
import { aManifest, metricAt, startArena } from '../test/support/tenants/arena.ts'
import { startHostileWebhook } from '../test/support/tenants/hostile-webhook.ts'
import { cpuSecondsOf } from './support/measured-server.ts'
import { median, percentile } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    /** Of one measurement. */
    seconds: { type: 'string', default: '20' },
    /** Creates of the measured tenant per second. */
    rate: { type: 'string', default: '20' },
    /** Services of the attacker that a preview looks through, and their size in KiB. */
    previewed: { type: 'string', default: '170' },
    size: { type: 'string', default: '311' },
    /** Services that want one path. */
    crowd: { type: 'string', default: '2000' },
    /** Services whose writes by the reconciler fail. */
    failing: { type: 'string', default: '20' },
    /** Limit of services of 1.3 MB. */
    huge: { type: 'string', default: '550' },
    /** Only the attacks whose names contain it, and quiet. */
    only: { type: 'string', default: '' },
    /** The API server alone: no webhooks, no `serve`, no reconciler. */
    floor: { type: 'boolean', default: false }
  }
})
const [RUNS, SECONDS, RATE] = [Number(values.runs), Number(values.seconds), Number(values.rate)]
const [PREVIEWED, SIZE, CROWD] = [Number(values.previewed), Number(values.size) * 1_024, Number(values.crowd)]
const [FAILING, HUGE, HUGE_BYTES] = [Number(values.failing), Number(values.huge), 1_300 * 1_024]
const ATTACKERS = 5
/** In one configuration; the API server itself takes quadratic time for such a list. */
const SECRETS = 2_000
/** Until the caches have followed a change of many objects, in milliseconds. */
const SETTLE_MS = 5_000

const arena = await startArena()
const { cluster, mallory, victim, platform, replicas } = arena
const reconciler = await arena.startReconciler()
const victimAccess = { kubeconfig: await cluster.kubeconfigOf('victim') }

const service = (name: string, spec: object): JsonObject => aManifest({ namespace: 'evil', name, spec })
const padded = (name: string, bytes: number): JsonObject =>
  service(name, { env: [{ name: 'PADDING', value: 'x'.repeat(bytes) }] })
const config = (name: string, spec: object): JsonObject =>
  aManifest({ kind: 'AIMRuntimeConfig', namespace: 'evil', name, spec })

/** Does something again and again, by several clients, until it is stopped. Returns how often it was done. */
function repeatedly (act: (attacker: number, round: number) => Promise<unknown>): () => Promise<number> {
  const attack = { isRunning: true, done: 0 }
  const attackers = Array.from({ length: ATTACKERS }, async (_, attacker) => {
    for (let round = 0; attack.isRunning; round++) {
      await act(attacker, round).then(() => { attack.done++ }, () => delay(50)) // an overloaded API server disconnects
    }
  })
  return async () => {
    attack.isRunning = false
    await Promise.all(attackers)
    return attack.done
  }
}

async function createAll (count: number, object: (at: number) => JsonObject): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: ATTACKERS }, async () => {
    while (next < count) await mallory.create(object(next++))
  }))
}

interface Attack {
  readonly name: string
  /** Prepares and starts the attack; the returned function ends it, and returns the number of requests. */
  readonly start: () => Promise<() => Promise<number>>
}

let huge = 0

const ATTACKS: readonly Attack[] = [
  { name: 'quiet', start: async () => await Promise.resolve(async () => await Promise.resolve(0)) },
  {
    name: `dry runs of a configuration of ${PREVIEWED} services of ${SIZE / 1_024} KiB`,
    start: async () => {
      await mallory.create(config('default', routed()))
      await createAll(PREVIEWED, (at) => padded(`previewed-${at}`, SIZE))
      const patch = { spec: { routing: { pathTemplate: '/moved/{.metadata.name}' } } }
      return repeatedly(async () => await mallory.mergePatch(refOf(config('default', {})), patch, { dryRun: true }))
    }
  },
  {
    name: `${FAILING} services whose status writes fail`,
    start: async () => {
      const webhook = await startHostileWebhook(cluster, { namespace: 'evil', how: 'failing' })
      await createAll(FAILING, (at) => service(`failing-${at}`, {}))
      const stop = repeatedly(async (attacker, round) => {
        await mallory.mergePatch(refOf(service(`failing-${(attacker + round) % FAILING}`, {})), {
          metadata: { labels: { round: String(round) } }
        })
        await delay(50)
      })
      return async () => {
        await webhook.stop()
        return await stop()
      }
    }
  },
  {
    name: 'creates of services of 1.3 MB',
    start: async () => await Promise.resolve(repeatedly(async () => {
      if (huge < HUGE) await mallory.create(padded(`huge-${huge++}`, HUGE_BYTES))
      else await delay(50)
    }))
  },
  {
    name: `${HUGE} stored services of 1.3 MB`,
    start: async () => {
      // again for those that failed because a busy API server exceeded the timeout of a webhook
      for (let round = 0; round < 2; round++) await createAll(HUGE, (at) => padded(`stored-${at}`, HUGE_BYTES))
      const probeUrl = replicas.running[0]?.probeUrl ?? ''
      const stored = await metricAt(probeUrl, 'aim_admission_cache_partial_services')
      process.stderr.write(`${stored} services of 1.3 MB are stored\n`)
      return async () => await Promise.resolve(HUGE)
    }
  },
  {
    name: `patches of a configuration with ${SECRETS} pull secrets`,
    start: async () => {
      const imagePullSecrets = Array.from({ length: SECRETS }, (_, at) => ({ name: `secret-${at}` }))
      await mallory.create(config('large', { imagePullSecrets }))
      return repeatedly(async (_, round) =>
        await mallory.mergePatch(refOf(config('large', {})), { spec: { defaultStorageClassName: `class-${round}` } }))
    }
  },
  {
    name: `${CROWD} services that come to want one path`,
    start: async () => {
      const crowd = { runtimeConfigName: 'crowd', routing: { pathTemplate: '/victim/wanted' } }
      await victim.create(aManifest({ namespace: 'victim', name: 'holder', spec: routed('/victim/wanted') }))
      await createAll(CROWD, (at) => service(`crowd-${at}`, crowd))
      await mallory.create(config('crowd', routed()))
      return repeatedly(async (_, round) => {
        await mallory.mergePatch(refOf(config('crowd', {})), { spec: { defaultStorageClassName: `class-${round}` } })
        await delay(500)
      })
    }
  }
]

/** `cpu`: of `serve` and the reconciler together, in seconds. */
interface Measured { readonly load: LoadResult, readonly requests: number, readonly cpu: number }

async function measure ({ start }: Attack): Promise<Measured> {
  const end = await start()
  const before = productCpu()
  const load = await createLoad(victimAccess, { namespace: 'victim', count: RATE * SECONDS, rate: RATE })
  const [requests, cpu] = [await end(), productCpu() - before]
  for (const actor of [mallory, victim]) {
    const namespace = actor === mallory ? 'evil' : 'victim'
    await actor.removeAll('AIMService', namespace)
    await actor.removeAll('AIMRuntimeConfig', namespace)
  }
  huge = 0
  await delay(SETTLE_MS)
  return { load, requests, cpu }
}

/** CPU time of the product's processes in seconds. */
function productCpu (): number {
  return values.floor ? 0 : [...replicas.all, reconciler].reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0)
}

/** Peak resident memory in MiB. Source: proc(5), VmHWM. */
async function peakOf (pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? NaN) / 1_024
}

const attacks = ATTACKS.filter(({ name }) => name === 'quiet' || name.includes(values.only))
const results = new Map<string, Measured[]>(attacks.map(({ name }) => [name, []]))
const peaks: string[] = []
if (values.floor) {
  const registrations = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'
  const { stderr } = await cluster.kubectl(['delete', registrations, '--all'])
  if (stderr !== '') throw new Error(stderr)
  await reconciler.stop('SIGTERM')
  await replicas.stop()
}
try {
  await platform.create(aManifest({ kind: 'AIMClusterRuntimeConfig', name: 'default', spec: routed() }))
  await createLoad(victimAccess, { namespace: 'victim', count: RATE * 5, rate: RATE }) // warms up
  await victim.removeAll('AIMService', 'victim')
  for (let run = 0; run < RUNS; run++) {
    for (const attack of attacks) {
      const measured = await measure(attack)
      results.get(attack.name)?.push(measured)
      const { load: { created, failed, latencies }, requests } = measured
      process.stderr.write(`run ${run + 1}, ${attack.name}: ${requests} requests of the attacker, ` +
        `${created} creates, ${failed.length} failed, p99 ${percentile(latencies, 0.99).toFixed(0)} ms\n`)
      for (const { reason } of failed.slice(0, 3)) process.stderr.write(`  ${reason.slice(0, 300)}\n`)
    }
  }
  for (const { pid } of values.floor ? [] : replicas.all) peaks.push(`serve ${(await peakOf(pid)).toFixed(0)} MiB`)
  if (!values.floor) peaks.push(`reconcile ${(await peakOf(reconciler.pid)).toFixed(0)} MiB`)
} finally {
  await arena.stop()
}

const p99 = ({ load }: Measured): number => percentile(load.latencies, 0.99)
const quiet = median((results.get('quiet') ?? []).map(p99))
process.stdout.write(`${RATE} creates/s for ${SECONDS} s, medians of ${RUNS} runs\n` +
  '| attack | failed creates | p50 | p99 | of quiet | requests of the attacker | CPU of the product |\n' +
  '|---|---|---|---|---|---|---|\n')
for (const [name, runs] of results) {
  const failed = runs.reduce((sum, { load }) => sum + load.failed.length, 0)
  const p50 = median(runs.map(({ load }) => percentile(load.latencies, 0.5)))
  const attacked = median(runs.map(p99))
  const requests = median(runs.map((run) => run.requests))
  const times = [`${p50.toFixed(1)} ms`, `${attacked.toFixed(1)} ms`, `${(attacked / quiet).toFixed(2)} ×`]
  const cpu = `${median(runs.map((run) => run.cpu)).toFixed(1)} s`
  process.stdout.write(`| ${[name, failed, ...times, requests, cpu].join(' | ')} |\n`)
}
process.stdout.write(`\nPeak memory: ${peaks.join(', ')}\n`)
