import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { issueThrowawayPair } from '../../certs/issue.ts'
import { aReview } from '../support/a-review.ts'
import type { Attack, Hostility } from '../support/hostile-sockets.ts'
import { startProgram } from '../support/program.ts'
import { reviewLoad } from '../support/review-load.ts'
import type { ReviewsAnswered } from '../support/review-load.ts'

/** 2,000 in all; with the honest ones, just fewer than one address may have. */
const COUNTS: Readonly<Record<Hostility, number>> = { handshake: 660, headers: 660, body: 660, answer: 20 }
const NONE: typeof COUNTS = { handshake: 0, headers: 0, body: 0, answer: 0 }
const IDLE_MS = 10_000
/** Honest reviews a second. */
const RATE = 40
const MIB = 1024 * 1024
/** Resident: bodies and answers hold 64 MiB each, twice over where they are encrypted; the rest is connections, and what is not yet collected. */
const MOST_MEMORY = 1_024 * MIB

/** Answered with its pull secrets as they came, in base64: more than the buffers of a connection hold. */
const imagePullSecrets = Array.from({ length: 27_000 }, (_, at) => ({ name: `${at}-${'x'.repeat(200)}` }))
const LARGE_REVIEW = aReview({ object: { metadata: { namespace: 'ml-team', name: 'large' }, spec: { model: { ref: 'meta-llama-3-8b' }, imagePullSecrets } } })

t.test('2,000 connections that finish nothing keep no review from being answered, and the memory is bounded', { timeout: 240_000 }, async (t) => {
  const folder = t.testdir()
  const { caPem: ca, certPem, keyPem } = await issueThrowawayPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  const [certFile, keyFile] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')]
  await Promise.all([writeFile(certFile, certPem), writeFile(keyFile, keyPem)])
  const program = startProgram(['serve', '--manifests', 'deploy/examples', '--port', '0', '--probe-port', '0', '--cert-file', certFile, '--key-file', keyFile])
  const { url } = await program.logged('serving') as unknown as { url: string } // what the command logs
  t.teardown(async () => { await program.stop('SIGKILL') })
  const idle = reviewLoad({ url, ca, rate: RATE })
  await delay(IDLE_MS)
  t.comment(report('idle', await idle.end()))
  const before = await memoryOf(program.pid)
  let most = before
  const sampling = setInterval(() => { memoryOf(program.pid).then((bytes) => { most = Math.max(most, bytes) }, () => {}) }, 100)
  t.teardown(() => { clearInterval(sampling) })

  const attacker = fork(path.join(import.meta.dirname, '../support/attacker.ts'))
  t.teardown(() => { attacker.kill('SIGKILL') })
  const latencies: number[] = []
  const during = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    const honest = reviewLoad({ url, ca, rate: RATE })
    await act()
    const answered = await honest.end()
    t.strictSame(answered.failed, [], what)
    t.comment(report(what, answered))
    latencies.push(...answered.latencies)
  }
  for (const hostility of Object.keys(COUNTS) as Hostility[]) { // as its type says
    const counts = { ...NONE, [hostility]: COUNTS[hostility] }
    await during(`while ${COUNTS[hostility]} that finish no ${hostility} come`, async () => {
      attacker.send({ url, ca, counts, largeReview: LARGE_REVIEW, gap: 1_000 } satisfies Attack)
      t.equal((await once(attacker, 'message'))[0], COUNTS[hostility], 'all of them were let in')
    })
  }
  await during('while they are held', async () => { await delay(35_000) }) // longer than any of them is borne
  t.comment(report('in all', { sent: latencies.length, failed: [], latencies: latencies.sort((one, other) => one - other) }))
  t.comment(`memory: ${Math.round(before / MIB)} MiB before, ${Math.round(most / MIB)} MiB at most`)
  t.ok(most < MOST_MEMORY)
})

function report (when: string, { sent, latencies }: ReviewsAnswered): string {
  const quantile = (share: number): string => (latencies[Math.floor(share * (latencies.length - 1))] ?? 0).toFixed(1)
  return `${when}: ${sent} reviews, p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, at most ${quantile(1)} ms`
}

/** Resident, in bytes. Source: proc(5), VmRSS in KiB. */
async function memoryOf (pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}
