import t from 'tap'
import {
  ListWatchError, shouldRelist, refusal, waitAfter, type RestartReason
} from '../../../src/kube/watch/list-watch-error.ts'

const waits: Record<string, { reason: RestartReason, inARow: number, random: number, retryAfter?: number, ms: number }> = {
  'the first is half a second at most': { reason: 'refused', inARow: 1, random: 1, ms: 500 },
  'and half of that at least': { reason: 'refused', inARow: 1, random: 0, ms: 250 },
  'each further one doubles': { reason: 'refused', inARow: 4, random: 1, ms: 4_000 },
  'up to 30 s after refusals': { reason: 'refused', inARow: 50, random: 1, ms: 30_000 },
  'up to 30 s after expired versions': { reason: 'expired', inARow: 50, random: 1, ms: 30_000 },
  'up to 30 s after unreadable answers': { reason: 'unreadable', inARow: 50, random: 1, ms: 30_000 },
  'up to 5 s while the kind is missing': { reason: 'missing', inARow: 50, random: 1, ms: 5_000 },
  'up to 1 s while the server is away': { reason: 'unreachable', inARow: 2_000, random: 1, ms: 1_000 },
  'up to 1 s after mute watches': { reason: 'mute', inARow: 50, random: 1, ms: 1_000 },
  'no less than the server asks for': { reason: 'refused', inARow: 1, random: 0, retryAfter: 20_000, ms: 20_000 },
  'no less than the backoff, whatever the server asks for': {
    reason: 'refused',
    inARow: 5,
    random: 1,
    retryAfter: 1_000,
    ms: 8_000
  },
  'a minute at most, whatever the server asks for': {
    reason: 'refused',
    inARow: 1,
    random: 0,
    retryAfter: 86_400_000,
    ms: 60_000
  }
}

t.test('the wait before the next try', async (t) => {
  for (const [name, { reason, inARow, random, retryAfter, ms }] of Object.entries(waits)) {
    t.test(name, async (t) => {
      t.equal(
        waitAfter(new ListWatchError(reason, '', retryAfter === undefined ? {} : { retryAfter }), inARow, random),
        ms
      )
    })
  }
})

const lists: Record<string, { reason: RestartReason, at: number }> = {
  'at once when the version has expired': { reason: 'expired', at: 1 },
  'at once when the kind is missing': { reason: 'missing', at: 1 },
  'at the third unreadable answer in a row': { reason: 'unreadable', at: 3 },
  'at the fifth refusal in a row': { reason: 'refused', at: 5 },
  'never because the server is away': { reason: 'unreachable', at: Infinity },
  'never because a watch is mute': { reason: 'mute', at: Infinity }
}

t.test('a watch gives way to a list', async (t) => {
  for (const [name, { reason, at }] of Object.entries(lists)) {
    t.test(name, async (t) => {
      const first =
        [1, 2, 3, 4, 5, 6, 1_000].find((inARow) => shouldRelist(new ListWatchError(reason, ''), inARow)) ?? Infinity
      t.equal(first, at)
    })
  }
})

t.test('a refusal is told by its code', async (t) => {
  const reasons = [400, 401, 403, 404, 410, 429, 500, 503].map(
    (code) => refusal({ code, message: 'no', retryAfterSeconds: 0 }).reason
  )
  t.strictSame(reasons, ['refused', 'refused', 'refused', 'missing', 'expired', 'refused', 'refused', 'refused'])
  t.match(refusal({ code: 403, message: 'may not list', retryAfterSeconds: 2 }), {
    message: 'the API server answered 403: may not list',
    retryAfter: 2_000
  })
})
