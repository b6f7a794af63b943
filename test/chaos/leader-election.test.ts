import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { changesOfWriter, strayWrites } from '../support/cluster/audit-log.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { installCrds } from '../support/programs/product.ts'
import { leaseActions, reconcilersOf, type ReplicaName } from '../support/programs/reconcilers.ts'

/** Two clusters, since the times of a lease belong to all replicas of one. */
async function setUp (seconds: number) {
  const cluster = await startCluster()
  await installCrds(cluster)
  const replicas = reconcilersOf(cluster, ['--lease-duration', String(seconds)])
  t.teardown(async () => {
    await replicas.stopAll()
    await cluster.stop()
  })
  for (const name of ['replica-a', 'replica-b', 'replica-c'] as const) await replicas.start(name)
  return { cluster, replicas, lease: leaseActions(cluster) }
}

/** Who writes is looked at, not how soon: for that there are tests with fewer processes. */
const PATIENCE_MS = 60_000

t.test('with the usual times', async (t) => {
  const { cluster, replicas } = await setUp(15)

  t.test('a leader that is killed is followed by another replica', async (t) => {
    const waits: number[] = []
    for (let time = 0; time < 5; time++) {
      const { user } = await replicas.nextWrite()
      const killed = Date.now()
      await replicas.stop(user, 'SIGKILL')
      const next = await replicas.nextWrite()
      t.not(next.user, user)
      waits.push(next.at - killed)
      await replicas.start(user)
    }
    t.comment(`time to the next write: ${waits.join(', ')} ms`)
  })

  t.test('a leader that is frozen for 60 s writes nothing after its term', async (t) => {
    const { user } = await replicas.nextWrite()
    const frozen = replicas.running.get(user)
    frozen?.signal('SIGSTOP')
    for (let second = 0; second < 60; second++) {
      await replicas.poke()
      await delay(1_000)
    }
    frozen?.signal('SIGCONT')
    for (let time = 0; time < 20; time++) t.not((await replicas.nextWrite()).user, user)
    t.strictSame(strayWrites(await cluster.audited()), [])
  })
})

t.test('in 100 forced changes of leader, only the leader writes', async (t) => {
  const { cluster, replicas, lease } = await setUp(4)
  const frozen = new Set<ReplicaName>()
  const deeds: Array<(leader: ReplicaName) => Promise<unknown>> = [
    async () => { await lease.remove() },
    async () => { await lease.steal() },
    async () => { await lease.empty() },
    async (leader) => {
      await replicas.stop(leader, 'SIGKILL')
      await replicas.start(leader)
    },
    async (leader) => {
      await replicas.stop(leader)
      await replicas.start(leader)
    },
    async (leader) => {
      replicas.running.get(leader)?.signal('SIGSTOP')
      frozen.add(leader)
    },
    async (leader) => { // frozen, and its lease deleted
      replicas.running.get(leader)?.signal('SIGSTOP')
      frozen.add(leader)
      await lease.remove()
    }
  ]
  const waits: number[] = []
  for (let change = 0; change < 100; change++) {
    const { user } = await replicas.nextWrite(PATIENCE_MS)
    const done = Date.now()
    await deeds[change % deeds.length]?.(user)
    for (let time = 0; time < 5; time++) await replicas.poke()
    const { at } = await replicas.nextWrite(PATIENCE_MS)
    waits.push(at - done)
    for (const name of frozen) replicas.running.get(name)?.signal('SIGCONT')
    frozen.clear()
  }
  t.comment(
    `time to the next write: ${Math.max(...waits)} ms at most, ${deeds.map((_, deed) => Math.max(...waits.filter((_, at) => at % deeds.length === deed))).join(', ')} by deed`
  )
  const entries = await cluster.audited()
  t.ok(changesOfWriter(entries) >= 40, `the writer changed ${changesOfWriter(entries)} times`)
  t.strictSame(strayWrites(entries), [])
})
