import t from 'tap'
import type { Condition } from '../../../../src/api/kubernetes-schemas.ts'
import {
  ACCEPTED_REASONS, CONFIG_CONDITIONS, HALTED_REASONS, ownConfigStatus, planRollout, ROLLED_OUT_REASONS,
  rolloutMode, type OwnConfigStatus, type RolloutPlan, type Tally
} from '../../../../src/core/status/rollout.ts'
import { readRuntimeConfig } from '../../../../src/core/settings/runtime-config.ts'
import { aConfig } from '../../../support/builders/objects.ts'

const BEGAN = '2026-01-01T00:00:00Z'
const NOW = '2026-01-01T01:00:00Z'

/** The status of a rollout that began at BEGAN. */
const UNDER_WAY: OwnConfigStatus = {
  conditions: [
    {
      type: 'RolledOut',
      status: 'False',
      reason: 'InProgress',
      message: '',
      observedGeneration: 1,
      lastTransitionTime: BEGAN
    }
  ]
}

interface Case {
  readonly annotation?: string
  readonly template?: string
  readonly tally?: Partial<Tally>
  /** Services with the current version that fail; those in `unchanged` were not changed by the rollout. */
  readonly failing?: readonly string[]
  readonly unchanged?: readonly string[]
  readonly known?: OwnConfigStatus
}

function plan (given: Case): RolloutPlan {
  const { annotation = '', template, tally = {}, failing = [], unchanged = [], known = UNDER_WAY } = given
  const spec = template === undefined ? {} : { routing: { pathTemplate: template } }
  const config = readRuntimeConfig(
    'AIMRuntimeConfig',
    aConfig(spec, { generation: 7, annotations: { 'aim.silogen.ai/rollout': annotation } })
  )
  if (config.kind === 'malformed') throw new Error(config.field)
  const counts = { total: 10, current: 4, failing: 0, failingCurrent: new Set(failing), ...tally }
  const isChanged = (service: string): boolean => !unchanged.includes(service)
  return planRollout({ config, tally: counts, isChanged, known, limit: 2, now: NOW })
}

function condition ({ status }: RolloutPlan, type: string): Condition | undefined {
  return status.conditions.find((each) => each.type === type)
}

const DONE: Partial<Tally> = { total: 4, current: 4 }
const TWO = ['ml-team/b', 'ml-team/a']

/** The status of a rollout that a previous leader halted, for a version. */
function haltedAt (hash: string): OwnConfigStatus {
  const halted = plan({ failing: TWO }).status
  return { ...halted, hash: hash === '' ? halted.hash ?? '' : hash }
}

const cases: Readonly<Record<string, Case & {
  readonly want: object, readonly rolledOut: string, readonly halted?: string
}>> = {
  'continues to all services by default': {
    want: { heldReason: undefined, quota: Infinity, breakable: 2 },
    rolledOut: 'False InProgress'
  },
  'ends when every service is current': { tally: DONE, want: { heldReason: undefined }, rolledOut: 'True RolledOut' },
  'ends if no service uses the configuration': {
    tally: { total: 0, current: 0 },
    want: { heldReason: undefined },
    rolledOut: 'True RolledOut'
  },
  'is held while paused': {
    annotation: 'paused',
    want: {
      heldReason:
        /^the rollout is paused; to resume: kubectl -n ml-team annotate aimrcfg\/default aim\.silogen\.ai\/rollout=all/,
      quota: 0
    },
    rolledOut: 'False Paused'
  },
  'is not held once every service is current': {
    annotation: 'paused',
    tally: DONE,
    want: { heldReason: undefined },
    rolledOut: 'True RolledOut'
  },
  'stops at the number of a canary': {
    annotation: 'canary=7',
    want: { heldReason: undefined, quota: 3 },
    rolledOut: 'False InProgress'
  },
  'is held once the canary is reached': {
    annotation: 'canary=4',
    want: { heldReason: /^the canary reached 4 services; to roll out to all: /, quota: 0 },
    rolledOut: 'False CanaryReached'
  },
  'continues with the annotation all': {
    annotation: 'all',
    want: { heldReason: undefined, quota: Infinity },
    rolledOut: 'False InProgress'
  },
  'is held by an unreadable annotation': {
    annotation: 'canery=4',
    want: { heldReason: /must be all, paused, canary=N or force; correct it/, quota: 0 },
    rolledOut: 'False RolloutAnnotationInvalid'
  },
  'may break fewer services after it broke some': {
    failing: ['ml-team/a'],
    want: { heldReason: undefined, quota: Infinity, breakable: 1 },
    rolledOut: 'False InProgress'
  },
  'halts at the limit, and names the broken services': {
    failing: TWO,
    want: {
      heldReason: new RegExp('^halted, because 2 healthy services began to fail with this version of ' +
        'AIMRuntimeConfig ml-team/default: ml-team/a, ml-team/b; revert the'),
      quota: 0,
      breakable: 0
    },
    rolledOut: 'False Halted',
    halted: 'True ServicesFailing'
  },
  'does not count services that it did not change': {
    failing: TWO,
    unchanged: ['ml-team/a'],
    want: { heldReason: undefined, breakable: 1 },
    rolledOut: 'False InProgress'
  },
  'stays halted under the next leader': {
    failing: TWO,
    unchanged: TWO,
    known: haltedAt(''),
    want: { heldReason: /^halted, because 2 healthy services .*: ml-team\/a, ml-team\/b; revert/, quota: 0 },
    rolledOut: 'False Halted',
    halted: 'True ServicesFailing'
  },
  'continues under the next leader once a named service is healthy': {
    failing: ['ml-team/a'],
    unchanged: TWO,
    known: haltedAt(''),
    want: { heldReason: undefined, breakable: 1 },
    rolledOut: 'False InProgress'
  },
  'counts under the next leader what broke below the limit': {
    failing: TWO,
    unchanged: TWO,
    known: plan({ failing: ['ml-team/b'] }).status,
    want: { heldReason: undefined, breakable: 1 },
    rolledOut: 'False InProgress'
  },
  'is not halted by the halt of another version': {
    failing: TWO,
    unchanged: TWO,
    known: haltedAt('sha256:other'),
    want: { heldReason: undefined, breakable: 2 },
    rolledOut: 'False InProgress'
  },
  'continues with the annotation force, whatever fails': {
    annotation: 'force',
    failing: TWO,
    known: haltedAt(''),
    want: { heldReason: undefined, quota: Infinity, breakable: Infinity },
    rolledOut: 'False InProgress',
    halted: 'False Forced'
  },
  'is not halted after its end': {
    failing: TWO,
    tally: DONE,
    want: { heldReason: undefined },
    rolledOut: 'True RolledOut'
  },
  'is paused rather than halted if both apply': {
    annotation: 'paused',
    failing: TWO,
    want: { heldReason: /paused/ },
    rolledOut: 'False Paused',
    halted: 'True ServicesFailing'
  }
}
for (const [name, { want, rolledOut, halted = 'False WithinLimit', ...given }] of Object.entries(cases)) {
  t.test(`a rollout ${name}`, async (t) => {
    const found = plan(given)
    t.match(found, want)
    t.equal(`${condition(found, 'RolledOut')?.status ?? ''} ${condition(found, 'RolledOut')?.reason ?? ''}`, rolledOut)
    t.equal(
      `${condition(found, 'RolloutHalted')?.status ?? ''} ${condition(found, 'RolloutHalted')?.reason ?? ''}`,
      halted
    )
    t.strictSame(found.status.conditions.map(({ type }) => type), CONFIG_CONDITIONS)
    t.ok(found.status.conditions.every(({ message }) => message !== ''), 'each condition has a message')
  })
}

t.test('the status has the counters, the version and the generation', async (t) => {
  const { status } = plan({ tally: { failing: 3 } })
  t.match(status, {
    observedGeneration: 7,
    hash: /^sha256:[0-9a-f]{64}$/,
    services: { total: 10, current: 4, failing: 3 }
  })
  t.ok(status.conditions.every(({ observedGeneration }) => observedGeneration === 7))
})

t.test('a transition time is kept while the status is, and changes when a rollout ends', async (t) => {
  t.equal(condition(plan({ annotation: 'paused' }), 'RolledOut')?.lastTransitionTime, BEGAN)
  t.equal(condition(plan({ tally: DONE }), 'RolledOut')?.lastTransitionTime, NOW)
})

t.test('names at most fifty services', async (t) => {
  const failing = Array.from({ length: 52 }, (_, at) => `ml-team/s${at + 100}`)
  t.match(
    plan({ failing, tally: { total: 300 } }).heldReason,
    /^halted, because 52 healthy services .*ml-team\/s149, …; revert/
  )
})

t.test('an invalid template is not accepted, with the reason', async (t) => {
  t.match(condition(plan({ template: '/{.metadata.name' }), 'Accepted'), {
    status: 'False',
    reason: 'PathTemplateInvalid',
    message: /^spec\.routing\.pathTemplate: .*not closed/
  })
  t.match(condition(plan({}), 'Accepted'), { status: 'True', reason: 'Accepted' })
})

t.test('every reason belongs to a closed set', async (t) => {
  const closed: ReadonlyArray<readonly string[]> = [ACCEPTED_REASONS, ROLLED_OUT_REASONS, HALTED_REASONS]
  for (const given of Object.values(cases)) {
    t.ok(plan(given).status.conditions.every(({ reason }, at) => closed[at]?.includes(reason)))
  }
})

t.test('reads the annotation strictly', async (t) => {
  const modes = {
    '': 'all',
    all: 'all',
    force: 'force',
    paused: 'paused',
    'canary=1': 'canary',
    'canary=0': 'invalid',
    'canary=': 'invalid',
    'canary=1.5': 'invalid',
    ' all': 'invalid',
    Paused: 'invalid'
  }
  for (const [annotation, kind] of Object.entries(modes)) t.equal(rolloutMode(annotation).kind, kind, annotation)
})

t.test('reads only this program\'s part of a stored status', async (t) => {
  const own = { observedGeneration: 1, hash: 'sha256:x', services: { total: 1, current: 1, failing: 0 } }
  const status = {
    ...own,
    theirs: 1,
    conditions: [
      { type: 'Theirs', status: 'True' },
      { type: 'RolledOut', status: 'True' }
    ]
  }
  t.strictSame(ownConfigStatus({ status }), { ...own, conditions: [{ type: 'RolledOut', status: 'True' }] })
  t.strictSame(ownConfigStatus({}), { conditions: [] })
})
