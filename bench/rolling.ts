/**
 * `npm run bench:rolling -- [CREATES] [ROLLS]`: creates services while replicas are replaced. Prints the schedule,
 * then the latency histogram as text and as one line of JSON.
 */
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { createLoad } from '../test/support/cluster/create-load.ts'
import { startReplicas } from '../test/support/programs/replicas.ts'
import { percentile } from './support/statistics.ts'

const [creates = 10_000, rolls = 10] = process.argv.slice(2).map(Number)
const RATE = 50
const BUCKETS_MS = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, Infinity]

process.stdout.write(
  `${creates} creates at ${RATE} per second take ${Math.ceil(creates / RATE)} s after the start of the cluster\n`
)
const cluster = await startOwnCluster()
const replicas = await startReplicas(cluster)
await cluster.kubectl(['create', 'namespace', 'rolling'])
const began = performance.now()
const codes: Array<Promise<number | null>> = []
const schedule: Array<{ atMs: number, event: string }> = []
const note = (event: string): void => {
  const atMs = Math.round(performance.now() - began)
  schedule.push({ atMs, event })
  process.stdout.write(`${String(atMs).padStart(8)} ms  ${event}\n`)
}
const load = createLoad(cluster, { namespace: 'rolling', count: creates, rate: RATE })
for (let roll = 1; roll <= rolls; roll++) {
  note(`roll ${roll} started`)
  codes.push(...await replicas.roll())
}
note('last old replica received SIGTERM')
const { created, failed, latencies } = await load
note('load finished')
const exitCodes = await Promise.all(codes)
const histogram = BUCKETS_MS.map((upTo, at) => ({
  upToMs: upTo, creates: latencies.filter((ms) => ms <= upTo && ms > (BUCKETS_MS[at - 1] ?? -Infinity)).length
}))
const [p50 = NaN, p99 = NaN, max = NaN] = [0.5, 0.99, 1].map((share) => Math.round(percentile(latencies, share)))
const result = { creates, rate: RATE, rolls, created, failed, exitCodes, p50, p99, max, schedule, histogram }
for (const { upToMs, creates } of histogram) {
  process.stdout.write(`<= ${String(upToMs).padStart(8)} ms ${String(creates).padStart(6)}\n`)
}
process.stdout.write(
  `created ${created} of ${creates}, failed ${failed.length}; p50 ${p50} ms, p99 ${p99} ms ` +
  `(${(p99 / p50).toFixed(1)} ×), max ${max} ms\n${JSON.stringify(result)}\n`
)
await replicas.stop()
await cluster.stop()
