import t from 'tap'
import { mayServe, nextStep, type RotationState, type Step } from '../../../certs/rotate.ts'
import { aCa, aClient, aSet, DAY, NAME } from '../../support/builders/certificate-sets.ts'

const [first, second, third] = [await aCa('first'), await aCa('second'), await aCa('third')]
const [stable, successor, foreign] = [await aSet(first), await aSet(second), await aSet(third)]
const announced = { ...stable, next: second }
const promoted = { ...successor, old: [first] }

/** The CA is near its end, the serving certificate is recent. */
const late = {
  ...stable,
  serving: { ...stable.serving, notBefore: Date.now() + 240 * DAY, notAfter: Date.now() + 270 * DAY }
}

/** A CA rotation after the CA and the serving certificate have expired. */
const overdue = {
  ...announced,
  ca: { ...first, notAfter: Date.now() - 1 },
  serving: { ...stable.serving, notAfter: Date.now() - 1 }
}

const SETTLE = 30_000
const policy = { names: [NAME], settle: SETTLE, jitter: 0 }
const NOW = Date.now()

/** A replica serves the stored set and every webhook has trusted it for the settle time; no probe has succeeded yet. */
function aState (fields: Partial<RotationState>): RotationState {
  const stored = fields.stored ?? found(stable)
  return {
    stored,
    remembered: undefined,
    served: stored.kind === 'found' ? stored.set : undefined,
    clients: [aClient(first)],
    trustedFor: () => SETTLE,
    confirmedFor: 0,
    unrefutedFor: 0,
    now: NOW,
    ...fields
  }
}

const found = (set: typeof announced | typeof stable, request?: 'ca' | 'leaf'): RotationState['stored'] => ({
  kind: 'found',
  set,
  request
})
const announcing = (fields: Partial<RotationState>) =>
  aState({ stored: found(announced), clients: [aClient(first, second)], ...fields })
const promoting = (fields: Partial<RotationState>) =>
  aState({ stored: found(promoted), clients: [aClient(first, second)], ...fields })
const lost: RotationState['stored'] = { kind: 'lost' }
const fresh = () => 0

const cases: Record<string, { state: RotationState, names?: string[], want: Step['kind'] }> = {
  'everything is healthy': { state: aState({}), want: 'rest' },
  'nothing is registered': { state: aState({ clients: [] }), want: 'rest' },
  'the Secret cannot be read': { state: aState({ stored: { kind: 'unknown' }, remembered: stable }), want: 'rest' },

  'there is no Secret yet': { state: aState({ stored: lost, clients: [] }), want: 'begin' },
  'there is no Secret, and the configurations cannot be read': {
    state: aState({ stored: lost, clients: undefined }),
    want: 'rest'
  },
  'the Secret was deleted, emptied, or corrupted': {
    state: aState({ stored: lost, remembered: stable }),
    want: 'restore'
  },
  'the Secret was deleted, and the configurations cannot be read': {
    state: aState({ stored: lost, remembered: stable, clients: undefined }),
    want: 'restore'
  },
  'the Secret contains other data': { state: aState({ stored: { kind: 'foreign' } }), want: 'rest' },
  'a Secret with other data replaced the remembered one': {
    state: aState({ stored: { kind: 'foreign' }, remembered: stable }),
    want: 'restore'
  },

  'a webhook trusts no CA': { state: aState({ clients: [aClient(first), aClient()] }), want: 'trust' },
  'a webhook trusts another CA': { state: aState({ clients: [aClient(third)] }), want: 'trust' },
  'a webhook trusts one CA too many': { state: aState({ clients: [aClient(first, third)] }), want: 'trust' },
  'a bundle contains other text': {
    state: aState({ clients: [{ ...aClient(first), unsound: true }] }),
    want: 'trust'
  },

  'a third of the serving certificate\'s lifetime is left': { state: aState({ now: NOW + 20.1 * DAY }), want: 'renew' },
  'slightly more of it is left': { state: aState({ now: NOW + 19.8 * DAY }), want: 'rest' },
  'the serving certificate has expired': { state: aState({ now: NOW + 31 * DAY }), want: 'renew' },
  'renewal is due, and the configurations cannot be read': {
    state: aState({ now: NOW + 21 * DAY, clients: undefined }),
    want: 'renew'
  },
  'an operator requests renewal': { state: aState({ stored: found(stable, 'leaf') }), want: 'renew' },
  'the serving certificate lacks a name': { state: aState({}), names: [NAME, '127.0.0.1'], want: 'renew' },
  'renewal is due while a CA rotation waits': {
    state: aState({
      stored: found(announced),
      clients: [aClient(first, second)],
      trustedFor: fresh,
      now: NOW + 21 * DAY
    }),
    want: 'renew'
  },

  'a third of the CA\'s lifetime is left': {
    state: aState({ stored: found(late), now: NOW + 244 * DAY }),
    want: 'announce'
  },
  "slightly more of the CA's lifetime is left": {
    state: aState({ stored: found(late), now: NOW + 242 * DAY }),
    want: 'rest'
  },
  'an operator requests a CA rotation': { state: aState({ stored: found(stable, 'ca') }), want: 'announce' },
  'an operator requests a CA rotation, and the configurations cannot be read': {
    state: aState({ stored: found(stable, 'ca'), clients: undefined }),
    want: 'rest'
  },
  'an operator requests a CA rotation during another one': {
    state: announcing({ stored: found(announced, 'ca'), trustedFor: fresh }), want: 'rest'
  },

  'no webhook trusts the next CA yet': {
    state: aState({ stored: found(announced), trustedFor: fresh }),
    want: 'trust'
  },
  'one webhook of two trusts the next CA': {
    state: aState({ stored: found(announced), clients: [aClient(first, second), aClient(first)], trustedFor: fresh }),
    want: 'trust'
  },
  'all webhooks trust the next CA, for less than the settle time': {
    state: announcing({ trustedFor: () => SETTLE - 1 }),
    want: 'rest'
  },
  'all webhooks have trusted the next CA for the settle time': {
    state: announcing({}),
    want: 'promote'
  },
  'the next CA was trusted, and the configurations cannot be read': {
    state: aState({ stored: found(announced), clients: undefined }),
    want: 'rest'
  },
  'all webhooks trust the next CA, and the served certificate has expired': {
    state: aState({ stored: found(overdue), clients: [aClient(first, second)], trustedFor: fresh }),
    want: 'promote'
  },

  'this replica does not serve the new CA yet': {
    state: promoting({ served: stable, confirmedFor: SETTLE }), want: 'rest'
  },
  'this replica serves the new CA, and the others are not probed yet': {
    state: promoting({}),
    want: 'rest'
  },
  'all replicas have served the new CA, for less than the settle time': {
    state: promoting({ confirmedFor: SETTLE - 1, unrefutedFor: SETTLE - 1 }), want: 'rest'
  },
  'all replicas have served the new CA for the settle time': {
    state: promoting({ confirmedFor: SETTLE }),
    want: 'retire'
  },
  'all replicas serve the new CA, and a bundle has lost it': {
    state: aState({ stored: found(promoted), clients: [aClient(first)], confirmedFor: SETTLE }),
    want: 'trust'
  },
  'a replica is unreachable for 19 settle times': {
    state: promoting({ unrefutedFor: 19 * SETTLE }),
    want: 'rest'
  },
  'a replica is unreachable for 20 settle times': {
    state: promoting({ unrefutedFor: 20 * SETTLE }),
    want: 'retire'
  },
  'the old CA has expired': {
    state: promoting({
      stored: found({ ...promoted, old: [{ ...first, notAfter: NOW - 1 }] }), clients: [aClient(second)]
    }),
    want: 'retire'
  },
  'the old CA is only in a bundle': {
    state: aState({ stored: found(successor), clients: [aClient(first, second)] }),
    want: 'trust'
  },

  'no webhook trusts the CA of a replaced Secret': {
    state: aState({ stored: found(foreign), served: stable, trustedFor: fresh }),
    want: 'keep-trust'
  },
  'the Secret was replaced, and all webhooks trust both CAs': {
    state: aState({
      stored: found({ ...foreign, old: [first] }), served: stable, clients: [aClient(first, third)], trustedFor: fresh
    }),
    want: 'rest'
  },
  'this replica returns after a complete CA rotation': {
    state: aState({ stored: found(successor), served: stable, clients: [aClient(second)], trustedFor: fresh }),
    want: 'rest'
  }
}

for (const [name, { state, names = [NAME], want }] of Object.entries(cases)) {
  t.test(`${name}: ${want}`, async (t) => { t.equal(nextStep(state, { ...policy, names }).kind, want) })
}

t.test('CAs that were trusted before the first Secret stay trusted unless expired', async (t) => {
  const clients = [aClient(first, second), aClient(first, { ...third, notAfter: NOW - 1 })]
  t.match(nextStep(aState({ stored: lost, clients }), policy), { kind: 'begin', old: [first, second] })
})

t.test('replicas renew at different times', async (t) => {
  const at = { ...aState({ now: NOW + 19.8 * DAY }) }
  t.equal(nextStep(at, { ...policy, jitter: 1 }).kind, 'renew')
})

const served: Record<string, { state: Partial<RotationState>, set?: typeof successor, want: boolean }> = {
  'the first pair once it is trusted': {
    state: { served: undefined, clients: [aClient(second)], trustedFor: fresh },
    want: true
  },
  'the first pair if no webhook is registered': {
    state: { served: undefined, clients: [], trustedFor: fresh },
    want: true
  },
  'no first pair before it is trusted': { state: { served: undefined, clients: [aClient(first)] }, want: false },
  'no first pair while the configurations cannot be read': {
    state: { served: undefined, clients: undefined },
    want: false
  },
  'another pair of the same CA immediately': {
    state: { served: successor, clients: undefined, trustedFor: fresh },
    want: true
  },
  'a pair of another CA after the settle time': {
    state: { served: stable, clients: [aClient(first, second)] },
    want: true
  },
  'no pair of another CA before the settle time': {
    state: { served: stable, clients: [aClient(first, second)], trustedFor: fresh },
    want: false
  },
  'a pair of another CA immediately if the served one is no longer trusted': {
    state: { served: stable, clients: [aClient(second)], trustedFor: fresh },
    want: true
  },
  'no expired pair': {
    state: { served: undefined, clients: [] },
    set: { ...successor, serving: { ...successor.serving, notAfter: NOW } },
    want: false
  },
  'any pair after the served one has expired': {
    state: {
      served: { ...stable, serving: { ...stable.serving, notAfter: NOW } }, clients: undefined, trustedFor: fresh
    },
    want: true
  }
}
for (const [name, { state: fields, set = successor, want }] of Object.entries(served)) {
  t.test(`serves ${name}`, async (t) => { t.equal(mayServe(set, aState(fields), policy), want) })
}
