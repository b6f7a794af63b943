import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { LeaderElection, leaseTimes, type LeaderElectionOptions } from '../../../src/kube/leader-election.ts'
import { FakeLease, type Passage } from '../../support/fakes/fake-lease.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const NEVER: Passage = { there: Infinity, back: Infinity }
const SOON: Passage = { there: 1, back: 1 }

/** Lets time pass in small steps, and runs the work that is due after each. */
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

/** A clock, a Lease, and candidates that record their callbacks and logs. */
function setUp () {
  const clock = new ManualClock()
  const api = new FakeLease(clock)
  return {
    clock,
    api,
    replica: (
      identity: string, options: Partial<LeaderElectionOptions> & { readonly passage?: () => Passage } = {}
    ) => {
      const calls: string[] = []
      const warned: object[] = []
      const errors: object[] = []
      const election = new LeaderElection({
        lease: { namespace: 'aim-system', name: 'test' },
        identity,
        request: api.requests(options.passage),
        clock,
        wallTime: () => new Date(1_800_000_000_000 + clock.now()),
        random: () => 1,
        log: { ...silentLog, warn: (keys) => { warned.push(keys) }, error: (keys) => { errors.push(keys) } },
        onLead: () => { calls.push('leads') },
        onLose: async () => { calls.push('lost') },
        times: leaseTimes(15),
        ...options
      })
      election.start()
      return { election, calls, warned, errors }
    }
  }
}

/** A Lease of another holder. */
const HELD: JsonObject = {
  holderIdentity: 'other',
  leaseDurationSeconds: 15,
  acquireTime: '2026-11-24T10:00:00.000000Z',
  renewTime: '2026-11-24T10:00:00.000000Z',
  leaseTransitions: 4
}

t.test('creates a missing lease, with times of six fractional digits', async (t) => {
  const { clock, api, replica } = setUp()
  const { election, calls } = replica('a')
  await pass(clock, 100)
  t.ok(election.isLeader())
  t.strictSame(calls, ['leads'])
  t.match(api.spec, { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  t.match(api.spec['acquireTime'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  t.match(api.spec['renewTime'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
})

t.test('renews the lease in time, and keeps fields of others', async (t) => {
  const { clock, api, replica } = setUp()
  api.lease = {
    metadata: { name: 'test', resourceVersion: '1', labels: { theirs: 'yes' } },
    spec: { strategy: 'theirs' }
  }
  const { election } = replica('a')
  for (let second = 0; second < 60; second++) {
    await pass(clock, 1_000)
    t.ok(election.isLeader())
  }
  t.ok(api.written.length >= 30)
  t.equal(new Set(api.written.map((spec) => spec['acquireTime'])).size, 1)
  t.match(api.lease, { metadata: { labels: { theirs: 'yes' } }, spec: { strategy: 'theirs', holderIdentity: 'a' } })
})

const found: Record<string, { spec: JsonObject, leadsAfter: number }> = {
  'a released one is acquired at once': {
    spec: { ...HELD, holderIdentity: '', leaseDurationSeconds: 1 },
    leadsAfter: 0
  },
  'one without a holder, and never observed with one, is acquired at once': {
    spec: { holderIdentity: '' },
    leadsAfter: 0
  },
  'one of a silent holder is acquired after the whole duration': { spec: HELD, leadsAfter: 15_000 },
  'one with times long ago is acquired no sooner': {
    spec: { ...HELD, renewTime: '1970-01-01T00:00:00.000000Z' },
    leadsAfter: 15_000
  },
  'one with times in the future is acquired no later': {
    spec: { ...HELD, renewTime: '2199-01-01T00:00:00.000000Z' },
    leadsAfter: 15_000
  },
  'one with a longer duration delays the acquisition further': {
    spec: { ...HELD, leaseDurationSeconds: 40 },
    leadsAfter: 40_000
  },
  'one with a shorter duration is acquired after this replica\'s own duration': {
    spec: { ...HELD, leaseDurationSeconds: 1 },
    leadsAfter: 15_000
  },
  'one with an excessive duration is acquired after the longest allowed duration': {
    spec: { ...HELD, leaseDurationSeconds: 1_000_000_000 },
    leadsAfter: 300_000
  },
  'one without a duration is acquired after this replica\'s own duration': {
    spec: { holderIdentity: 'other' },
    leadsAfter: 15_000
  },
  'one that was edited to name this replica is treated like one of another holder': {
    spec: { ...HELD, holderIdentity: 'a' },
    leadsAfter: 15_000
  }
}
t.test('an existing lease:', async (t) => {
  for (const [name, { spec, leadsAfter }] of Object.entries(found)) {
    t.test(name, async (t) => {
      const { clock, api, replica } = setUp()
      api.edit(spec)
      const { election } = replica('a')
      if (leadsAfter > 0) {
        await pass(clock, leadsAfter)
        t.notOk(election.isLeader())
        t.equal(api.written.length, 0)
      }
      await pass(clock, 100)
      t.ok(election.isLeader())
    })
  }
})

t.test('a renewal by the holder restarts the wait', async (t) => {
  const { clock, api, replica } = setUp()
  api.edit(HELD)
  const { election } = replica('a')
  for (let time = 0; time < 5; time++) {
    await pass(clock, 14_000)
    api.edit({ renewTime: `renewal ${time}` })
  }
  t.notOk(election.isLeader())
  await pass(clock, 14_900)
  t.notOk(election.isLeader())
  await pass(clock, 1_200)
  t.ok(election.isLeader())
  t.match(api.spec, { holderIdentity: 'a', leaseTransitions: 5 })
})

t.test('a leader that cannot renew may write until its deadline, then steps down', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election, calls } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = NEVER
  await pass(clock, 9_980)
  t.ok(election.isLeader())
  t.strictSame(calls, ['leads'])
  await pass(clock, 30)
  t.notOk(election.isLeader())
  t.strictSame(calls, ['leads', 'lost'])
})

t.test('a suspended process may not write after its deadline, even before its timers run', async (t) => {
  const { clock, replica } = setUp()
  const { election } = replica('a')
  await pass(clock, 100)
  // the process was suspended: no promise settles and no callback runs before the check
  clock.pass(10_000)
  t.notOk(election.isLeader())
})

t.test('a late response to a renewal does not revive the term', async (t) => {
  const { clock, api, replica } = setUp()
  let passage = SOON
  const { election, calls } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: 3_000 }
  await pass(clock, 2_100)
  t.equal(api.written.length, 2)
  clock.pass(11_000) // the process is suspended; the response is there when it resumes
  await settle()
  t.notOk(election.isLeader())
  t.strictSame(calls, ['leads', 'lost'])
})

t.test('a term counts from before its renewal request, not from the response', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: 4_000 }
  await pass(clock, 6_010) // requested at 2 s, response at 6 s
  passage = NEVER
  await pass(clock, 5_970)
  t.ok(election.isLeader())
  await pass(clock, 30)
  t.notOk(election.isLeader())
})

t.test('a response to the acquisition that comes too late is discarded, and the lease acquired again', async (t) => {
  const { clock, api, replica } = setUp()
  const passages = [SOON, { there: 1, back: 3_000 }]
  const { election, calls } = replica('a', { passage: () => passages.shift() ?? SOON })
  await pass(clock, 100)
  clock.pass(11_000) // the process is suspended
  await settle()
  t.strictSame([election.isLeader(), calls, api.holder], [false, [], 'a'])
  await pass(clock, 2_000)
  t.strictSame([election.isLeader(), calls], [true, ['leads']])
})

t.test('a renewal whose response is lost does not end the term', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election, calls } = replica('a', { passage: () => passage })
  await pass(clock, 10)
  passage = { there: 1, back: Infinity }
  await pass(clock, 2_000)
  passage = SOON
  await pass(clock, 20_000)
  t.ok(election.isLeader())
  t.strictSame(calls, ['leads'])
})

const losses: Record<string, { lose: (api: FakeLease) => void, why: string }> = {
  deleted: { lose: (api) => { api.remove() }, why: 'the lease was deleted' },
  'acquired by another': {
    lose: (api) => { api.edit({ holderIdentity: 'thief', acquireTime: 'now' }) },
    why: 'the lease is held by thief'
  },
  'emptied by hand': { lose: (api) => { api.edit({ holderIdentity: '' }) }, why: 'the lease has no holder' },
  'acquired, and its holder\'s name restored': {
    lose: (api) => { api.edit({ acquireTime: 'another' }) },
    why: 'the lease is held by a'
  }
}
t.test('a leader steps down at its next attempt if the lease is', async (t) => {
  for (const [name, { lose, why }] of Object.entries(losses)) {
    t.test(name, async (t) => {
      const { clock, api, replica } = setUp()
      const { calls, warned } = replica('a')
      await pass(clock, 100)
      lose(api)
      await pass(clock, 2_000)
      t.strictSame(calls.slice(0, 2), ['leads', 'lost'])
      t.match(warned, [{ why }])
    })
  }
})

t.test('a deleted lease is created again by its leader, and by another replica only after the duration', async (t) => {
  const { clock, api, replica } = setUp()
  let passage = SOON
  const a = replica('a', { passage: () => passage })
  await pass(clock, 100)
  const b = replica('b')
  await pass(clock, 100)
  api.remove()
  await pass(clock, 3_000)
  t.strictSame([a.election.isLeader(), b.election.isLeader(), a.calls], [true, false, ['leads', 'lost', 'leads']])
  passage = NEVER
  api.remove()
  const cut = clock.now()
  for (; clock.now() - cut < 15_000;) {
    await pass(clock, 100)
    t.notOk(b.election.isLeader())
  }
  await pass(clock, 3_000)
  t.ok(b.election.isLeader())
})

t.test('a term begins only after the work of the previous one has ended', async (t) => {
  const { clock, api, replica } = setUp()
  const work = Promise.withResolvers<undefined>()
  const calls: string[] = []
  const { election } = replica('a', {
    onLead: () => { calls.push('leads') },
    onLose: async () => { await work.promise }
  })
  await pass(clock, 100)
  api.remove()
  await pass(clock, 60_000)
  t.strictSame([calls, api.lease, election.isLeader()], [['leads'], undefined, false])
  work.resolve(undefined)
  await pass(clock, 3_000)
  t.strictSame([calls, api.holder], [['leads', 'leads'], 'a'])
})

t.test('stop ends the work, then releases the lease, which another replica acquires soon', async (t) => {
  const { clock, api, replica } = setUp()
  const work = Promise.withResolvers<undefined>()
  const a = replica('a', { onLose: async () => { await work.promise } })
  await pass(clock, 100)
  const b = replica('b')
  await pass(clock, 5_000)
  const stopped = a.election.stop()
  await pass(clock, 3_000)
  t.notOk(a.election.isLeader(), 'no writes while the work ends')
  t.equal(api.holder, 'a')
  work.resolve(undefined)
  await pass(clock, 10)
  await stopped
  t.match(api.written.at(-1), { holderIdentity: '', leaseDurationSeconds: 1 })
  await pass(clock, 1_100)
  t.ok(b.election.isLeader())
})

t.test('a replica stopped during acquisition releases the lease without having led', async (t) => {
  const { clock, api, replica } = setUp()
  const { election, calls } = replica('a', { passage: () => ({ there: 100, back: 100 }) })
  await pass(clock, 350)
  t.equal(api.holder, 'a')
  const stopped = election.stop()
  await pass(clock, 500)
  await stopped
  t.strictSame([calls, api.holder], [[], ''])
})

t.test('stop ends without responses from the API server', async (t) => {
  const { clock, replica } = setUp()
  let passage = SOON
  const { election } = replica('a', { passage: () => passage })
  await pass(clock, 100)
  passage = NEVER
  await pass(clock, 2_000)
  const stopped = election.stop()
  await pass(clock, 10_000)
  await stopped
  t.notOk(election.isLeader())
})

t.test('failures are logged once, and retried without end', async (t) => {
  const { clock, replica } = setUp()
  let passage = NEVER
  const { election, warned } = replica('a', { passage: () => passage })
  await pass(clock, 300_000)
  t.strictSame(warned, [{ reason: 'the API server did not respond within 5 s' }])
  passage = SOON
  await pass(clock, 7_000)
  t.ok(election.isLeader())
})

t.test('a missing namespace of the lease', async (t) => {
  t.test('is created where the API server permits it', async (t) => {
    const { clock, api, replica } = setUp()
    Object.assign(api, { namespaceExists: false, namespacesCreatable: true })
    const { election, calls, errors, warned } = replica('a')
    await pass(clock, 2_000)
    t.strictSame([calls, election.problem, errors, warned], [['leads'], undefined, [], []])
  })

  t.test('is otherwise reported once with the command that fixes it, until it exists', async (t) => {
    const { clock, api, replica } = setUp()
    api.namespaceExists = false
    const [a, b] = [replica('a'), replica('b')]
    await pass(clock, 60_000)
    t.strictSame(a.calls, [])
    t.equal(
      a.election.problem,
      'namespace aim-system for the Lease does not exist; run: kubectl create namespace aim-system'
    )
    t.match(a.errors, [{ namespace: 'aim-system', command: 'kubectl create namespace aim-system', reason: /403/ }])
    t.strictSame([a.errors.length, a.warned, api.namespaceRequests], [1, [], 2], 'one attempt per replica')
    api.namespaceExists = true
    await pass(clock, 4_000)
    t.strictSame([a, b].map(({ election }) => election.problem), [undefined, undefined])
    t.strictSame([...a.calls, ...b.calls], ['leads'])
  })

  t.test('is created again after its deletion', async (t) => {
    const { clock, api, replica } = setUp()
    const { election, calls } = replica('a')
    await pass(clock, 1_000)
    api.remove()
    Object.assign(api, { namespaceExists: false, namespacesCreatable: true })
    await pass(clock, 5_000)
    t.strictSame([calls, election.isLeader(), api.namespaceRequests], [['leads', 'lost', 'leads'], true, 1])
  })
})

const replicaIndex = fc.nat(2)
const delays = fc.integer({ min: 1, max: 7_000 })

/** What happens to a replica or the Lease, and the time until the next event, in milliseconds. */
const event = fc.record({
  then: fc.integer({ min: 1, max: 12_000 }),
  what: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('slow' as const), replica: replicaIndex, there: delays, back: delays })
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('cut' as const), replica: replicaIndex }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('recover' as const), replica: replicaIndex }) },
    fc.record({ kind: fc.constant('delete' as const) }),
    fc.record(
      {
        kind: fc.constant('edit' as const),
        holderIdentity: fc.constantFrom('thief', '', 'replica-0', 'replica-1', 'replica-2')
      }
    ),
    fc.record({ kind: fc.constant('stop' as const), replica: replicaIndex })
  )
})
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** Three replicas that have all observed the lease, and the events that may happen to them. */
async function threeReplicas (randoms: Iterator<number>) {
  const { clock, api, replica } = setUp()
  const passages: Passage[] = [SOON, SOON, SOON]
  let terms = 0
  const replicas = passages.map((_, index) => replica(`replica-${index}`, {
    passage: () => passages[index] ?? SOON, random: () => Number(randoms.next().value), onLead: () => { terms++ }
  }))
  /** Lets time pass, and checks after each step that at most one may write. */
  const watch = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0;) {
      const step = Math.min(left, Math.max(1, clock.untilNext))
      await pass(clock, step)
      left -= step
      const writers = replicas.filter(({ election }) => election.isLeader()).length
      if (writers > 1) throw new Error(`${writers} may write after ${clock.now()} ms`)
    }
  }
  await watch(5_000)
  return {
    watch,
    terms: () => terms,
    happen: ({ what }: Event): void => {
      switch (what.kind) {
        case 'slow': passages[what.replica] = what; break
        case 'cut': passages[what.replica] = NEVER; break
        case 'recover': passages[what.replica] = SOON; break
        case 'delete': api.remove(); break
        case 'edit': if (api.lease !== undefined) api.edit({ holderIdentity: what.holderIdentity }); break
        case 'stop': replicas[what.replica]?.election.stop().catch((error: unknown) => { throw error }); break
      }
    },
    isLed: () => replicas.some(({ election }) => election.isLeader()),
    recover: () => { passages.fill(SOON) }
  }
}

t.test('two replicas never may write at the same time, whatever happens to requests and the lease', async (t) => {
  let terms = 0
  const randoms = fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true }))
  await fc.assert(fc.asyncProperty(fc.array(
    event, { minLength: 5, maxLength: 25 }
  ), randoms, async (events, random) => {
    const three = await threeReplicas(random)
    for (const event of events) {
      three.happen(event)
      await three.watch(event.then)
    }
    three.recover()
    await three.watch(60_000)
    const stopped = new Set(events.flatMap(({ what }) => what.kind === 'stop' ? [what.replica] : []))
    if (stopped.size < 3 && !three.isLed()) throw new Error('there is no leader after recovery')
    terms += three.terms()
  }), { numRuns: 40 })
  t.ok(terms > 40, `${terms} terms`)
})
