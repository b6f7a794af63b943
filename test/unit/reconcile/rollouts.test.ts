import t from 'tap'
import type { RolloutPlan } from '../../../src/core/status/rollout.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { Rollouts, type Forecast, type ReleaseInput } from '../../../src/reconcile/rollouts.ts'

const CONFIG = 'AIMRuntimeConfig/ml-team/default'
const GOING: RolloutPlan = { status: { conditions: [] }, heldReason: undefined, quota: Infinity, breakable: 3 }
const SERVICES = ['a', 'b', 'c', 'd', 'e']

/** Services with a capital letter break. */
const input = (
  plan: Partial<RolloutPlan>, stale: readonly string[], claims: Readonly<Record<string, string>> = {}
): ReleaseInput => ({
  config: CONFIG,
  hash: 'new',
  plan: { ...GOING, ...plan },
  stale,
  forecast: (service): Forecast => ({ breaks: /^[A-Z]/.test(service), claim: claims[service] }),
  isStuck: () => false
})

const cases: Readonly<Record<string, { readonly input: ReleaseInput, readonly want: readonly string[] }>> = {
  'releases all healthy services at once': { input: input({}, SERVICES), want: SERVICES },
  'releases none while held': { input: input({ heldReason: 'paused', quota: 0 }, SERVICES), want: [] },
  'releases the first services for a canary': { input: input({ quota: 2 }, SERVICES), want: ['a', 'b'] },
  'stops before the first service that would break too many': {
    input: input({ breakable: 2 }, ['a', 'B', 'c', 'D', 'E', 'f']),
    want: ['a', 'B', 'c', 'D']
  },
  'stops before the first service that breaks if none may': {
    input: input({ breakable: 0 }, ['a', 'B', 'c']),
    want: ['a']
  },
  'counts a service as broken if one before it takes its path': {
    input: input({ breakable: 1 }, SERVICES, { a: '/x', b: '/x', c: '/y', d: '/y' }), want: ['a', 'b', 'c']
  }
}
for (const [name, { input, want }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const rollouts = new Rollouts()
    t.strictSame(rollouts.release(input), want)
    t.strictSame(
      SERVICES.filter((service) => rollouts.isReleased(service, CONFIG, 'new')),
      SERVICES.filter((service) => want.includes(service))
    )
  })
}

t.test('a service in flight counts until it lands, and is not released twice', async (t) => {
  const rollouts = new Rollouts()
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['A', 'B', 'c'])), ['A'])
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['A', 'B', 'c'])), [])
  rollouts.finished('A', CONFIG)
  t.strictSame(rollouts.release(input({ breakable: 1 }, ['B', 'c'])), ['B', 'c'])
})

t.test('a rollout goes past services whose admission fails', async (t) => {
  const rollouts = new Rollouts()
  const isStuck = (service: string): boolean => ['a', 'B'].includes(service)
  t.strictSame(rollouts.release(input({ quota: 1 }, ['a', 'B', 'C', 'd'])), ['a'])
  t.strictSame(rollouts.release({ ...input({ quota: 1, breakable: 1 }, ['a', 'B', 'C', 'd']), isStuck }), ['B'])
  t.strictSame(rollouts.release({ ...input({ quota: 1, breakable: 1 }, ['a', 'B', 'C', 'd']), isStuck }), ['d'],
    'a service that would break waits')
})

t.test('a canary counts services in flight', async (t) => {
  const rollouts = new Rollouts()
  t.strictSame(rollouts.release(input({ quota: 2 }, SERVICES)), ['a', 'b'])
  t.strictSame(rollouts.release(input({ quota: 2 }, SERVICES)), [])
})

t.test('a hold revokes releases, and reports its reason until it ends', async (t) => {
  const rollouts = new Rollouts()
  rollouts.release(input({}, SERVICES))
  t.ok(rollouts.isReleasing('a', CONFIG))
  rollouts.release(input({ heldReason: 'halted', quota: 0 }, SERVICES))
  t.notOk(rollouts.isReleased('a', CONFIG, 'new'))
  t.notOk(rollouts.isReleasing('a', CONFIG))
  t.equal(rollouts.heldReason(CONFIG, 'new'), 'halted')
  t.strictSame(rollouts.release(input({}, SERVICES)), SERVICES)
  t.equal(rollouts.heldReason(CONFIG, 'new'), undefined)
})

t.test('a release ends with the version it was made for', async (t) => {
  const rollouts = new Rollouts()
  rollouts.release(input({ quota: 1 }, SERVICES))
  t.notOk(rollouts.isReleased('a', CONFIG, 'newer'))
  t.strictSame(rollouts.release({ ...input({ quota: 1 }, ['e', 'a']), hash: 'newer' }), ['e'])
  t.notOk(rollouts.isReleased('a', CONFIG, 'newer'))
  rollouts.forget(CONFIG)
  t.notOk(rollouts.isReleased('e', CONFIG, 'newer'))
})

t.test('a rollout does not wait for a service that is deleted or uses another configuration', async (t) => {
  const other = 'AIMRuntimeConfig/ml-team/other'
  const state = new RolloutState()
  const contribution = { config: CONFIG, hash: 'old', failing: false }
  for (const service of ['A', 'B']) t.strictSame(state.contribute(service, contribution), [CONFIG])
  for (const [service, next, changed] of [
    ['A', undefined, [CONFIG]],
    ['B', { ...contribution, config: other }, [CONFIG, other]]
  ] as const) {
    t.strictSame(state.rollouts.release(input({ breakable: 1 }, [service])), [service])
    t.strictSame(state.contribute(service, next), changed)
    t.notOk(state.rollouts.isReleased(service, CONFIG, 'new'), service)
  }
})
