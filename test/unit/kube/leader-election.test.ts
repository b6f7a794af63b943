import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { LeaderElection, type LeaderElectionOptions } from '../../../src/kube/lease/leader-election.ts'
import { leaseTimes } from '../../../src/kube/lease/lease.ts'
import { FakeLease, type Passage } from '../../support/fakes/fake-lease.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const NEVER: Passage = { there: Infinity, back: Infinity }
const SOON: Passage = { there: 1, back: 1 }

/** Lets time pass in small steps, and whatever has become due be done. */
async function pass (clock: ManualClock, ms: number): Promise<void> {
  const end = clock.now() + ms
  for (;;) {
    await settle()
    const step = Math.min(clock.untilNext, end - clock.now())
    clock.pass(step)
    if (clock.now() >= end) break
  }
  await settle()
}

async function settle (): Promise<void> {
  for (let time = 0; time < 3; time++) await turn()
}

/** A clock and a Lease, and replicas that stand for election; each notes what it is told. */
function setUp () {
  const clock = new ManualClock()
  const api = new FakeLease(clock)
  return {
    clock,
    api,
    replica: (identity: string, options: Partial<LeaderElectionOptions> & { readonly passage?: () => Passage } = {}) => {
      const told: string[] = []
      const warned: object[] = []
      const election = new LeaderElection({
        lease: { namespace: 'aim-system', name: 'test' },
        identity,
        request: api.requests(options.passage),
        clock,
        wallTime: () => new Date(1_800_000_000_000 + clock.now()),
        random: () => 1,
        log: { ...silentLog, warn: (keys) => { warned.push(keys) } },
        onLead: () => { told.push('leads') },
        onLose: async () => { told.push('lost') },
        times: leaseTimes(15),
        ...options
      })
      election.start()
      return { election, told, warned }
    }
  }
}

/** A Lease that somebody else holds. */
const HELD: JsonObject = {
  holderIdentity: 'other', leaseDurationSeconds: 15, acquireTime: '2026-11-24T10:00:00.000000Z', renewTime: '2026-11-24T10:00:00.000000Z', leaseTransitions: 4
}

t.test('a lease that is not there is made, with times of six fractional digits', async (t) => {
  const { clock, api, replica } = setUp()
  const { election, told } = replica('a')
  await pass(clock, 100)
  t.ok(election.mayWrite())
  t.strictSame(told, ['leads'])
  t.match(api.spec, { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  t.match(api.spec['acquireTime'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  t.match(api.spec['renewTime'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
})

t.test('it is renewed in time, again and again, and what others wrote to it stays', async (t) => {
  const { clock, api, replica } = setUp()
  api.lease = { metadata: { resourceVersion: '1', labels: { theirs: 'yes' } }, spec: { strategy: 'theirs' } }
  const { election } = replica('a')
  for (let second = 0; second < 60; second++) {
    await pass(clock, 1_000)
    t.ok(election.mayWrite())
  }
  t.ok(api.written.length >= 30)
  t.equal(new Set(api.written.map((spec) => spec['acquireTime'])).size, 1)
  t.match(api.lease, { metadata: { labels: { theirs: 'yes' } }, spec: { strategy: 'theirs', holderIdentity: 'a' } })
})

const found: Record<string, { spec: JsonObject, leadsAfter: number }> = {
  'one that was given up is taken at once': {
    spec: { ...HELD, holderIdentity: '', leaseDurationSeconds: 1 },
    leadsAfter: 0
  },
  'one that nobody holds, and nobody was seen holding, is taken at once': {
    spec: { holderIdentity: '' },
    leadsAfter: 0
  },
  'one of a silent holder is taken after the whole duration': { spec: HELD, leadsAfter: 15_000 },
  'one whose times say that it ran out long ago is taken no sooner': {
    spec: { ...HELD, renewTime: '1970-01-01T00:00:00.000000Z' },
    leadsAfter: 15_000
  },
  'one whose times lie in the future is taken no later': {
    spec: { ...HELD, renewTime: '2199-01-01T00:00:00.000000Z' },
    leadsAfter: 15_000
  },
  'one that promises longer is left alone for longer': {
    spec: { ...HELD, leaseDurationSeconds: 40 },
    leadsAfter: 40_000
  },
  'one that promises less is left alone for as long as this replica would need': {
    spec: { ...HELD, leaseDurationSeconds: 1 },
    leadsAfter: 15_000
  },
  'one that promises more than can be chosen is not left alone for ever': {
    spec: { ...HELD, leaseDurationSeconds: 1_000_000_000 },
    leadsAfter: 300_000
  },
  'one that promises nothing is left alone for the usual duration': {
    spec: { holderIdentity: 'other' },
    leadsAfter: 15_000
  },
  "one on which this replica's name was put by hand is left alone like another's": {
    spec: { ...HELD, holderIdentity: 'a' },
    leadsAfter: 15_000
  }
}
t.test('of a lease that is found', async (t) => {
  for (const [name, { spec, leadsAfter }] of Object.entries(found)) {
    t.test(name, async (t) => {
      const { clock, api, replica } = setUp()
      api.edit(spec)
      const { election } = replica('a')
      if (leadsAfter > 0) {
        await pass(clock, leadsAfter)
        t.notOk(election.mayWrite())
        t.equal(api.written.length, 0)
      }
      await pass(clock, 100)
      t.ok(election.mayWrite())
    })
  }
})

t.test('a holder that gives a sign of life is waited for anew', async (t) => {
  const { clock, api, replica } = setUp()
  api.edit(HELD)
  const { election } = replica('a')
  for (let time = 0; time < 5; time++) {
    await pass(clock, 14_000)
    api.edit({ renewTime: `sign ${time}` })
  }
  t.notOk(election.mayWrite())
  await pass(clock, 14_900)
  t.notOk(election.mayWrite())
  await pass(clock, 1_200)
  t.ok(election.mayWrite())
  t.match(api.spec, { holderIdentity: 'a', leaseTransitions: 5 })
})

t.test('who cannot renew steps down by its deadline, and may write until just before', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election, told } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = NEVER
  await pass(clock, 9_980)
  t.ok(election.mayWrite())
  t.strictSame(told, ['leads'])
  await pass(clock, 30)
  t.notOk(election.mayWrite())
  t.strictSame(told, ['leads', 'lost'])
})

t.test('who was stopped for a while may not write, although no timer has told it yet', async (t) => {
  const { clock, replica } = setUp()
  const { election } = replica('a')
  await pass(clock, 100)
  // the process was stopped: no promise settles and no callback is made before it is asked
  clock.pass(10_000)
  t.notOk(election.mayWrite())
})

t.test('an answer to a renewal that comes late does not bring the term back', async (t) => {
  const { clock, api, replica } = setUp()
  let passage = SOON
  const { election, told } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: 3_000 }
  await pass(clock, 2_100)
  t.equal(api.written.length, 2)
  clock.pass(11_000) // the process is stopped; when it goes on, the answer is there
  await settle()
  t.notOk(election.mayWrite())
  t.strictSame(told, ['leads', 'lost'])
})

t.test('a term is counted from before the request that renewed it, not from its answer', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: 4_000 }
  await pass(clock, 6_010) // asked at 2 s, answered at 6 s
  passage = NEVER
  await pass(clock, 5_970)
  t.ok(election.mayWrite())
  await pass(clock, 30)
  t.notOk(election.mayWrite())
})

t.test('an answer to the taking that comes too late is of no use, and the lease is taken again', async (t) => {
  const { clock, api, replica } = setUp()
  const passages = [SOON, { there: 1, back: 3_000 }]
  const { election, told } = replica('a', { passage: () => passages.shift() ?? SOON })
  await pass(clock, 100)
  clock.pass(11_000) // the process is stopped
  await settle()
  t.strictSame([election.mayWrite(), told, api.holder], [false, [], 'a'])
  await pass(clock, 2_000)
  t.strictSame([election.mayWrite(), told], [true, ['leads']])
})

t.test('a renewal whose answer was lost costs no term', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election, told } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: Infinity }
  await pass(clock, 2_000)
  passage = SOON
  await pass(clock, 20_000)
  t.ok(election.mayWrite())
  t.strictSame(told, ['leads'])
})

const losses: Record<string, { lose: (api: FakeLease) => void, why: string }> = {
  deleted: { lose: (api) => { api.remove() }, why: 'the lease was deleted' },
  'taken by another': {
    lose: (api) => { api.edit({ holderIdentity: 'thief', acquireTime: 'now' }) },
    why: 'the lease is held by thief'
  },
  'emptied by hand': { lose: (api) => { api.edit({ holderIdentity: '' }) }, why: 'the lease is held by nobody' },
  "taken, and its holder's name put back": {
    lose: (api) => { api.edit({ acquireTime: 'another' }) },
    why: 'the lease is held by a'
  }
}
t.test('who leads steps down at the next look when the lease is', async (t) => {
  for (const [name, { lose, why }] of Object.entries(losses)) {
    t.test(name, async (t) => {
      const { clock, api, replica } = setUp()
      const { told, warned } = replica('a')
      await pass(clock, 100)
      lose(api)
      await pass(clock, 2_000)
      t.strictSame(told.slice(0, 2), ['leads', 'lost'])
      t.match(warned, [{ why }])
    })
  }
})

t.test('a lease that goes is made again by its leader, and not before that by another who knew it', async (t) => {
  const { clock, api, replica } = setUp()
  let passage = SOON
  const a = replica('a', { passage: () => passage })
  await pass(clock, 100)
  const b = replica('b')
  await pass(clock, 100)
  api.remove()
  await pass(clock, 3_000)
  t.strictSame([a.election.mayWrite(), b.election.mayWrite(), a.told], [true, false, ['leads', 'lost', 'leads']])
  passage = NEVER
  api.remove()
  const cut = clock.now()
  for (; clock.now() - cut < 15_000;) {
    await pass(clock, 100)
    t.notOk(b.election.mayWrite())
  }
  await pass(clock, 3_000)
  t.ok(b.election.mayWrite())
})

t.test('the next term begins only when the last one\'s work has ended', async (t) => {
  const { clock, api, replica } = setUp()
  const work = Promise.withResolvers<undefined>()
  const told: string[] = []
  const { election } = replica('a', {
    onLead: () => { told.push('leads') },
    onLose: async () => { await work.promise }
  })
  await pass(clock, 100)
  api.remove()
  await pass(clock, 60_000)
  t.strictSame([told, api.lease, election.mayWrite()], [['leads'], undefined, false])
  work.resolve(undefined)
  await pass(clock, 3_000)
  t.strictSame([told, api.holder], [['leads', 'leads'], 'a'])
})

t.test('a clean stop gives the lease up, after the work has ended, and another leads within half a retry period', async (t) => {
  const { clock, api, replica } = setUp()
  const work = Promise.withResolvers<undefined>()
  const a = replica('a', { onLose: async () => { await work.promise } })
  await pass(clock, 100)
  const b = replica('b')
  await pass(clock, 5_000)
  const stopped = a.election.stop()
  await pass(clock, 3_000)
  t.notOk(a.election.mayWrite(), 'nothing is written while the work ends')
  t.equal(api.holder, 'a')
  work.resolve(undefined)
  await pass(clock, 10)
  await stopped
  t.match(api.written.at(-1), { holderIdentity: '', leaseDurationSeconds: 1 })
  await pass(clock, 1_100)
  t.ok(b.election.mayWrite())
})

t.test('who is stopped while it takes the lease gives it back without having led', async (t) => {
  const { clock, api, replica } = setUp()
  const { election, told } = replica('a', { passage: () => ({ there: 100, back: 100 }) })
  await pass(clock, 350)
  t.equal(api.holder, 'a')
  const stopped = election.stop()
  await pass(clock, 500)
  await stopped
  t.strictSame([told, api.holder], [[], ''])
})

t.test('who is stopped while nobody answers ends all the same', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election } = replica('a', { passage: () => passage })
  await pass(clock, 100)
  passage = NEVER
  await pass(clock, 2_000)
  const stopped = election.stop()
  await pass(clock, 10_000)
  await stopped
  t.notOk(election.mayWrite())
})

t.test('trouble is told once, and the lease is tried for ever after', async (t) => {
  const { clock, replica } = setUp()
  let passage = NEVER
  const { election, warned } = replica('a', { passage: () => passage })
  await pass(clock, 300_000)
  t.strictSame(warned, [{ reason: 'the API server did not answer within 5000 ms' }])
  passage = SOON
  await pass(clock, 7_000)
  t.ok(election.mayWrite())
})

const replicaIndex = fc.nat(2)
const delays = fc.integer({ min: 1, max: 7_000 })

/** What befalls a replica or the Lease, and how long nothing else does, in milliseconds. */
const event = fc.record({
  then: fc.integer({ min: 1, max: 12_000 }),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('slow' as const), replica: replicaIndex, there: delays, back: delays }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('cut' as const), replica: replicaIndex }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('well' as const), replica: replicaIndex }) },
    fc.record({ kind: fc.constant('delete' as const) }),
    fc.record({ kind: fc.constant('edit' as const), holderIdentity: fc.constantFrom('thief', '', 'replica-0', 'replica-1', 'replica-2') }),
    fc.record({ kind: fc.constant('stop' as const), replica: replicaIndex })
  )
})
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** Three replicas that have all seen the lease, and whatever may befall them. */
async function threeReplicas (randoms: Iterator<number>) {
  const { clock, api, replica } = setUp()
  const passages: Passage[] = [SOON, SOON, SOON]
  let terms = 0
  const replicas = passages.map((_, index) => replica(`replica-${index}`, {
    passage: () => passages[index] ?? SOON, random: () => Number(randoms.next().value), onLead: () => { terms++ }
  }))
  /** Lets time pass, and looks after each thing that happens. */
  const watch = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0;) {
      const step = Math.min(left, Math.max(1, clock.untilNext))
      await pass(clock, step)
      left -= step
      const writers = replicas.filter(({ election }) => election.mayWrite()).length
      if (writers > 1) throw new Error(`${writers} may write after ${clock.now()} ms`)
    }
  }
  await watch(5_000)
  return {
    watch,
    terms: () => terms,
    befall: ({ what }: Event): void => {
      switch (what.kind) {
        case 'slow': passages[what.replica] = what; break
        case 'cut': passages[what.replica] = NEVER; break
        case 'well': passages[what.replica] = SOON; break
        case 'delete': api.remove(); break
        case 'edit': if (api.lease !== undefined) api.edit({ holderIdentity: what.holderIdentity }); break
        case 'stop': replicas[what.replica]?.election.stop().catch((error: unknown) => { throw error }); break
      }
    },
    isLed: () => replicas.some(({ election }) => election.mayWrite()),
    recover: () => { passages.fill(SOON) }
  }
}

t.test('however requests fare and whatever is done to the lease, two never may write at the same moment', async (t) => {
  let terms = 0
  const randoms = fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true }))
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 25 }), randoms, async (events, random) => {
    const three = await threeReplicas(random)
    for (const event of events) {
      three.befall(event)
      await three.watch(event.then)
    }
    three.recover()
    await three.watch(60_000)
    const stopped = new Set(events.flatMap(({ what }) => what.kind === 'stop' ? [what.replica] : []))
    if (stopped.size < 3 && !three.isLed()) throw new Error('nobody leads, although all is well')
    terms += three.terms()
  }), { numRuns: 40 })
  t.ok(terms > 40, `${terms} terms`)
})
