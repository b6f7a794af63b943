import t from 'tap'
import type { RolloutPlan } from '../../../src/core/status/rollout.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { Rollouts, type Foresight, type ReleaseInput } from '../../../src/reconcile/rollouts.ts'

const CONFIG = 'AIMRuntimeConfig/ml-team/default'
const GOING: RolloutPlan = { status: { conditions: [] }, held: undefined, quota: Infinity, breakable: 3 }
const SERVICES = ['a', 'b', 'c', 'd', 'e']

/** Services whose name begins with a capital letter break. */
const input = (plan: Partial<RolloutPlan>, stale: readonly string[], claims: Readonly<Record<string, string>> = {}): ReleaseInput => ({
  config: CONFIG,
  hash: 'new',
  plan: { ...GOING, ...plan },
  stale,
  foresee: (service): Foresight => ({ breaks: /^[A-Z]/.test(service), claim: claims[service] })
})

const cases: Readonly<Record<string, { readonly input: ReleaseInput, readonly want: readonly string[] }>> = {
  'all that are well are released at once': { input: input({}, SERVICES), want: SERVICES },
  'none while it is held': { input: input({ held: 'paused', quota: 0 }, SERVICES), want: [] },
  'a trial takes the first ones': { input: input({ quota: 2 }, SERVICES), want: ['a', 'b'] },
  'the first that would break one too many ends it': {
    input: input({ breakable: 2 }, ['a', 'B', 'c', 'D', 'E', 'f']),
    want: ['a', 'B', 'c', 'D']
  },
  'none that breaks where none may': { input: input({ breakable: 0 }, ['a', 'B', 'c']), want: ['a'] },
  'one that takes the path of another before it breaks too': {
    input: input({ breakable: 1 }, SERVICES, { a: '/x', b: '/x', c: '/y', d: '/y' }), want: ['a', 'b', 'c']
  }
}
for (const [name, { input, want }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const rollouts = new Rollouts()
    t.strictSame(rollouts.release(input), want)
    t.strictSame(
      SERVICES.filter((service) => rollouts.permits(service, CONFIG, 'new')),
      SERVICES.filter((service) => want.includes(service))
    )
  })
}

t.test('what is on its way counts until it has been seen, and is not released twice', async (t) => {
  const rollouts = new Rollouts()
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['A', 'B', 'c'])), ['A'])
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['A', 'B', 'c'])), [])
  rollouts.landed('A', CONFIG)
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['B', 'c'])), ['B', 'c'])
})

t.test('a trial counts what is on its way', async (t) => {
  const rollouts = new Rollouts()
  t.strictSame(rollouts.release(input({ quota: 2 }, SERVICES)), ['a', 'b'])
  t.strictSame(rollouts.release(input({ quota: 2 }, SERVICES)), [])
})

t.test('a hold takes back what has not been done, and is told until it ends', async (t) => {
  const rollouts = new Rollouts()
  rollouts.release(input({}, SERVICES))
  rollouts.release(input({ held: 'halted', quota: 0 }, SERVICES))
  t.equal(rollouts.permits('a', CONFIG, 'new'), false)
  t.equal(rollouts.held(CONFIG, 'new'), 'halted')
  t.strictSame(rollouts.release(input({}, SERVICES)), SERVICES)
  t.equal(rollouts.held(CONFIG, 'new'), undefined)
})

t.test('a permission ends with the version that it was given for', async (t) => {
  const rollouts = new Rollouts()
  rollouts.release(input({ quota: 1 }, SERVICES))
  t.equal(rollouts.permits('a', CONFIG, 'newer'), false)
  t.strictSame(rollouts.release({ ...input({ quota: 1 }, ['e', 'a']), hash: 'newer' }), ['e'])
  t.equal(rollouts.permits('a', CONFIG, 'newer'), false)
  rollouts.forget(CONFIG)
  t.equal(rollouts.permits('e', CONFIG, 'newer'), false)
})

t.test('a service that is deleted, or uses another configuration, on its way is not waited for', async (t) => {
  const other = 'AIMRuntimeConfig/ml-team/other'
  const changed: string[] = []
  const state = new RolloutState({ onTally: (config) => { changed.push(config) }, onReadmit: () => {} })
  const contribution = { config: CONFIG, hash: 'old', failing: false, failingSince: '' }
  for (const service of ['A', 'B']) state.count(service, contribution)
  for (const [service, next] of [['A', undefined], ['B', { ...contribution, config: other }]] as const) {
    t.strictSame(state.rollouts.release(input({ breakable: 1 }, [service])), [service])
    state.count(service, next)
    t.equal(state.rollouts.permits(service, CONFIG, 'new'), false, service)
  }
  t.strictSame(changed, [CONFIG, CONFIG, CONFIG, CONFIG, other])
})
