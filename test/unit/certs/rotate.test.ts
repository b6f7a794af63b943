import t from 'tap'
import { mayServe, nextStep, type Seen, type Step } from '../../../certs/rotate.ts'
import { aCa, aClient, aSet, DAY, NAME } from '../../support/builders/certificate-sets.ts'

const [first, second, third] = [await aCa('first'), await aCa('second'), await aCa('third')]
const [stable, successor, foreign] = [await aSet(first), await aSet(second), await aSet(third)]
const announced = { ...stable, next: second }
const promoted = { ...successor, old: [first] }

/** Near the end of its CA, with a young certificate. */
const late = {
  ...stable,
  serving: { ...stable.serving, notBefore: Date.now() + 240 * DAY, notAfter: Date.now() + 270 * DAY }
}

/** A CA change that comes too late. */
const overdue = {
  ...announced,
  ca: { ...first, notAfter: Date.now() - 1 },
  serving: { ...stable.serving, notAfter: Date.now() - 1 }
}

const SETTLE = 30_000
const policy = { names: [NAME], settle: SETTLE, jitter: 0 }
const NOW = Date.now()

/**
 * A replica that serves the stored set, which every webhook has long trusted; but nothing has been confirmed by
 * handshakes yet.
 */
function seen (fields: Partial<Seen>): Seen {
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

const found = (set: typeof announced | typeof stable, request?: 'ca' | 'leaf'): Seen['stored'] => ({
  kind: 'found',
  set,
  request
})
const lost: Seen['stored'] = { kind: 'lost' }
const fresh = () => 0

const cases: Record<string, { seen: Seen, names?: string[], want: Step['kind'] }> = {
  'all is well': { seen: seen({}), want: 'rest' },
  'nothing is registered': { seen: seen({ clients: [] }), want: 'rest' },
  'the Secret cannot be read': { seen: seen({ stored: { kind: 'unknown' }, remembered: stable }), want: 'rest' },

  'there is no Secret yet': { seen: seen({ stored: lost, clients: [] }), want: 'begin' },
  'there is none, and who is trusted is not known': { seen: seen({ stored: lost, clients: undefined }), want: 'rest' },
  'the Secret was deleted, emptied or corrupted': { seen: seen({ stored: lost, remembered: stable }), want: 'restore' },
  'it was, while the API server tells nothing of the webhooks': {
    seen: seen({ stored: lost, remembered: stable, clients: undefined }),
    want: 'restore'
  },
  'the name is taken by a Secret of somebody else': { seen: seen({ stored: { kind: 'foreign' } }), want: 'rest' },
  'somebody put another one in its place': {
    seen: seen({ stored: { kind: 'foreign' }, remembered: stable }),
    want: 'restore'
  },

  'a webhook trusts nobody': { seen: seen({ clients: [aClient(first), aClient()] }), want: 'trust' },
  'a webhook trusts somebody else': { seen: seen({ clients: [aClient(third)] }), want: 'trust' },
  'a webhook trusts one too many': { seen: seen({ clients: [aClient(first, third)] }), want: 'trust' },
  'a bundle holds what is no certificate': {
    seen: seen({ clients: [{ ...aClient(first), unsound: true }] }),
    want: 'trust'
  },

  'the serving certificate has a third of its life left': { seen: seen({ now: NOW + 20.1 * DAY }), want: 'renew' },
  'it has a little more left': { seen: seen({ now: NOW + 19.8 * DAY }), want: 'rest' },
  'it has expired': { seen: seen({ now: NOW + 31 * DAY }), want: 'renew' },
  'it is due, and who is trusted is not known': {
    seen: seen({ now: NOW + 21 * DAY, clients: undefined }),
    want: 'renew'
  },
  'an operator asks for another': { seen: seen({ stored: found(stable, 'leaf') }), want: 'renew' },
  'it is to be good for one more name': { seen: seen({}), names: [NAME, '127.0.0.1'], want: 'renew' },
  'it is due while a CA change waits': {
    seen: seen({ stored: found(announced), clients: [aClient(first, second)], trustedFor: fresh, now: NOW + 21 * DAY }),
    want: 'renew'
  },

  'the CA has a third of its life left': {
    seen: seen({ stored: found(late), now: NOW + 244 * DAY }),
    want: 'announce'
  },
  'the CA has a little more left': { seen: seen({ stored: found(late), now: NOW + 242 * DAY }), want: 'rest' },
  'an operator asks for another CA': { seen: seen({ stored: found(stable, 'ca') }), want: 'announce' },
  'an operator does, and who is trusted is not known': {
    seen: seen({ stored: found(stable, 'ca'), clients: undefined }),
    want: 'rest'
  },
  'an operator does while one change is under way': {
    seen: seen({ stored: found(announced, 'ca'), clients: [aClient(first, second)], trustedFor: fresh }), want: 'rest'
  },

  'a new CA was announced, nobody trusts it yet': {
    seen: seen({ stored: found(announced), trustedFor: fresh }),
    want: 'trust'
  },
  'one webhook of two trusts it': {
    seen: seen({ stored: found(announced), clients: [aClient(first, second), aClient(first)], trustedFor: fresh }),
    want: 'trust'
  },
  'all trust it, but not for long': {
    seen: seen({ stored: found(announced), clients: [aClient(first, second)], trustedFor: () => SETTLE - 1 }),
    want: 'rest'
  },
  'all have trusted it for long enough': {
    seen: seen({ stored: found(announced), clients: [aClient(first, second)] }),
    want: 'promote'
  },
  'they have, but whether they still do is not known': {
    seen: seen({ stored: found(announced), clients: undefined }),
    want: 'rest'
  },
  'all trust it, and the certificate in use has expired': {
    seen: seen({ stored: found(overdue), clients: [aClient(first, second)], trustedFor: fresh }),
    want: 'promote'
  },

  'the new CA signs, and this replica does not serve it yet': {
    seen: seen({ stored: found(promoted), served: stable, clients: [aClient(first, second)], confirmedFor: SETTLE }), want: 'rest'
  },
  'this replica serves it, others are not asked yet': {
    seen: seen({ stored: found(promoted), clients: [aClient(first, second)] }),
    want: 'rest'
  },
  'all replicas have shown it, but not for long': {
    seen: seen({ stored: found(promoted), clients: [aClient(first, second)], confirmedFor: SETTLE - 1, unrefutedFor: SETTLE - 1 }), want: 'rest'
  },
  'all replicas have shown it for long enough': {
    seen: seen({ stored: found(promoted), clients: [aClient(first, second)], confirmedFor: SETTLE }),
    want: 'retire'
  },
  'they have, but a bundle has lost it': {
    seen: seen({ stored: found(promoted), clients: [aClient(first)], confirmedFor: SETTLE }),
    want: 'trust'
  },
  'a replica cannot be reached, for a while': {
    seen: seen({ stored: found(promoted), clients: [aClient(first, second)], unrefutedFor: 19 * SETTLE }),
    want: 'rest'
  },
  'a replica cannot be reached, for very long': {
    seen: seen({ stored: found(promoted), clients: [aClient(first, second)], unrefutedFor: 20 * SETTLE }),
    want: 'retire'
  },
  'the old CA has expired': {
    seen: seen({ stored: found({ ...promoted, old: [{ ...first, notAfter: NOW - 1 }] }), clients: [aClient(second)] }), want: 'retire'
  },
  'the old CA is gone from the Secret, and still in a bundle': {
    seen: seen({ stored: found(successor), clients: [aClient(first, second)] }),
    want: 'trust'
  },

  'the Secret was replaced by another that nobody trusts': {
    seen: seen({ stored: found(foreign), served: stable, trustedFor: fresh }),
    want: 'keep-trust'
  },
  'the Secret was replaced, and all trust both': {
    seen: seen({ stored: found({ ...foreign, old: [first] }), served: stable, clients: [aClient(first, third)], trustedFor: fresh }), want: 'rest'
  },
  'this replica comes back after a whole change': {
    seen: seen({ stored: found(successor), served: stable, clients: [aClient(second)], trustedFor: fresh }),
    want: 'rest'
  }
}

for (const [name, { seen, names = [NAME], want }] of Object.entries(cases)) {
  t.test(`${name}: ${want}`, async (t) => { t.equal(nextStep(seen, { ...policy, names }).kind, want) })
}

t.test('what is trusted before there is a Secret stays trusted, unless it has expired', async (t) => {
  const clients = [aClient(first, second), aClient(first, { ...third, notAfter: NOW - 1 })]
  t.match(nextStep(seen({ stored: lost, clients }), policy), { kind: 'begin', old: [first, second] })
})

t.test('replicas differ in when they renew', async (t) => {
  const at = { ...seen({ now: NOW + 19.8 * DAY }) }
  t.equal(nextStep(at, { ...policy, jitter: 1 }).kind, 'renew')
})

const served: Record<string, { seen: Partial<Seen>, set?: typeof successor, want: boolean }> = {
  'the first pair, once it is trusted': {
    seen: { served: undefined, clients: [aClient(second)], trustedFor: fresh },
    want: true
  },
  'the first pair, where nothing is registered': {
    seen: { served: undefined, clients: [], trustedFor: fresh },
    want: true
  },
  'the first pair, not before it is trusted': { seen: { served: undefined, clients: [aClient(first)] }, want: false },
  'the first pair, not while nobody knows whether it is trusted': {
    seen: { served: undefined, clients: undefined },
    want: false
  },
  'another pair of the same CA at once': {
    seen: { served: successor, clients: undefined, trustedFor: fresh },
    want: true
  },
  'a pair of another CA, once that is trusted for long enough': {
    seen: { served: stable, clients: [aClient(first, second)] },
    want: true
  },
  'a pair of another CA, not before': {
    seen: { served: stable, clients: [aClient(first, second)], trustedFor: fresh },
    want: false
  },
  'a pair of another CA at once, where the present one is not trusted any more': {
    seen: { served: stable, clients: [aClient(second)], trustedFor: fresh },
    want: true
  },
  'no pair that has expired': {
    seen: { served: undefined, clients: [] },
    set: { ...successor, serving: { ...successor.serving, notAfter: NOW } },
    want: false
  },
  'any pair after one that has expired': {
    seen: { served: { ...stable, serving: { ...stable.serving, notAfter: NOW } }, clients: undefined, trustedFor: fresh }, want: true
  }
}
for (const [name, { seen: fields, set = successor, want }] of Object.entries(served)) {
  t.test(`serves ${name}`, async (t) => { t.equal(mayServe(set, seen(fields), policy), want) })
}
