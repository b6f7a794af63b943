import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { changesOfWriter, strayWrites } from '../../support/cluster/audit-log.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds } from '../../support/programs/product.ts'
import { leaseActions, reconcilersOf, type ReplicaName } from '../../support/programs/reconcilers.ts'

const cluster = await startCluster()
await installCrds(cluster)
const replicas = reconcilersOf(cluster, ['--lease-duration', '4'])
const lease = leaseActions(cluster)
t.teardown(async () => {
  await replicas.stopAll()
  await cluster.stop()
})
const other = (name: ReplicaName): ReplicaName => name === 'replica-a' ? 'replica-b' : 'replica-a'

await replicas.start('replica-a')
await replicas.start('replica-b')

t.test('one of two replicas writes, and renews the lease', async (t) => {
  for (let time = 0; time < 5; time++) t.equal((await replicas.nextWrite()).user, 'replica-a')
  t.match(await lease.read('.spec.renewTime'), /\.\d{6}Z$/)
  t.equal(await lease.read('.spec.leaseDurationSeconds'), '4')
})

t.test('another replica leads after a leader is killed', async (t) => {
  const { user } = await replicas.nextWrite()
  await replicas.stop(user, 'SIGKILL')
  const next = await replicas.nextWrite()
  t.equal(next.user, other(user))
  await replicas.start(user)
})

t.test('a leader that stops releases its lease', async (t) => {
  const { user } = await replicas.nextWrite()
  const holder = await lease.read('.spec.holderIdentity')
  t.equal(await replicas.stop(user), 0)
  t.not(await lease.read('.spec.holderIdentity'), holder)
  t.equal((await replicas.nextWrite()).user, other(user))
  await replicas.start(user)
})

t.test('a leader that was suspended writes nothing after its term', async (t) => {
  const { user } = await replicas.nextWrite()
  const frozen = replicas.running.get(user)
  for (let time = 0; time < 20; time++) await replicas.poke()
  frozen?.signal('SIGSTOP')
  await replicas.poke()
  const { user: next } = await replicas.nextWrite()
  t.equal(next, other(user))
  await replicas.poke()
  frozen?.signal('SIGCONT')
  t.equal((await frozen?.logged('stepped down as leader'))?.['identity'] !== undefined, true)
  for (let time = 0; time < 3; time++) t.equal((await replicas.nextWrite()).user, next)
})

const takings: Record<string, () => Promise<void>> = {
  deleted: lease.remove,
  stolen: lease.steal,
  emptied: lease.empty
}
for (const [name, take] of Object.entries(takings)) {
  t.test(`a replica leads again after the lease was ${name}`, async (t) => {
    await take()
    for (let time = 0; time < 10; time++) {
      await replicas.poke()
      await delay(100)
    }
    t.ok((await replicas.nextWrite()).user)
  })
}

t.test('no replica wrote without the lease', async (t) => {
  const entries = await cluster.audited()
  t.ok(changesOfWriter(entries) >= 3)
  t.strictSame(strayWrites(entries), [])
})
