import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { changesOfWriter, strayWrites } from '../../support/cluster/audit-log.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds } from '../../support/programs/product.ts'
import { leaseActions, reconcilersOf, type ReplicaName } from '../../support/programs/reconcilers.ts'

const DURATION_MS = 4_000

const cluster = await startCluster({ audit: true })
await installCrds(cluster)
const replicas = reconcilersOf(cluster, ['--lease-duration', String(DURATION_MS / 1_000)])
const lease = leaseActions(cluster)
t.teardown(async () => {
  await replicas.stopAll()
  await cluster.stop()
})
const other = (name: ReplicaName): ReplicaName => name === 'replica-a' ? 'replica-b' : 'replica-a'

await replicas.start('replica-a')
await replicas.start('replica-b')

t.test('one of two writes, and the lease names it', async (t) => {
  for (let time = 0; time < 5; time++) t.equal((await replicas.nextWrite()).user, 'replica-a')
  t.match(await lease.read('.spec.renewTime'), /\.\d{6}Z$/)
  t.equal(await lease.read('.spec.leaseDurationSeconds'), '4')
})

t.test('a leader that is killed is followed once its lease has run out', async (t) => {
  const { user } = await replicas.nextWrite()
  const killed = Date.now()
  await replicas.stop(user, 'SIGKILL')
  const next = await replicas.nextWrite()
  t.equal(next.user, other(user))
  t.ok(next.at - killed < 3 * DURATION_MS, `after ${next.at - killed} ms`)
  await replicas.start(user)
})

t.test('a leader that is stopped cleanly hands over at once', async (t) => {
  const { user } = await replicas.nextWrite()
  const renewed = Date.parse(await lease.read('.spec.renewTime'))
  t.equal(await replicas.stop(user), 0)
  const next = await replicas.nextWrite()
  t.equal(next.user, other(user))
  t.ok(next.at < renewed + DURATION_MS, `${next.at - renewed} ms after the lease was renewed, before it could run out`)
  await replicas.start(user)
})

t.test('a leader that is frozen and thawed writes nothing after its term', async (t) => {
  const { user } = await replicas.nextWrite()
  const frozen = replicas.running.get(user)
  for (let time = 0; time < 20; time++) await replicas.poke()
  frozen?.signal('SIGSTOP')
  await replicas.poke()
  const { user: next } = await replicas.nextWrite()
  t.equal(next, other(user))
  await replicas.poke()
  frozen?.signal('SIGCONT')
  t.equal((await frozen?.logged('this replica no longer leads'))?.['identity'] !== undefined, true)
  for (let time = 0; time < 3; time++) t.equal((await replicas.nextWrite()).user, next)
})

const takings: Record<string, () => Promise<void>> = {
  deleted: lease.remove,
  stolen: lease.steal,
  emptied: lease.empty
}
for (const [name, take] of Object.entries(takings)) {
  t.test(`after the lease was ${name}, somebody leads again`, async (t) => {
    await take()
    for (let time = 0; time < 10; time++) {
      await replicas.poke()
      await delay(100)
    }
    t.ok((await replicas.nextWrite()).user)
  })
}

t.test('nobody wrote who did not lead', async (t) => {
  const entries = await cluster.audited()
  t.ok(changesOfWriter(entries) >= 3)
  t.strictSame(strayWrites(entries), [])
})
