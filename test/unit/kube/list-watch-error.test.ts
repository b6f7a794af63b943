import t from 'tap'
import {
  ListWatchError, shouldRelist, refusal, waitAfter, type RestartReason
} from '../../../src/kube/watch/list-watch-error.ts'

const waits: Record<string, {
  reason: RestartReason, inARow: number, random: number, retryAfter?: number, ms: number
}> = {
  'the first is at most half a second': { reason: 'refused', inARow: 1, random: 1, ms: 500 },
  'jitter halves it at most': { reason: 'refused', inARow: 1, random: 0, ms: 250 },
  'each further error doubles it': { reason: 'refused', inARow: 4, random: 1, ms: 4_000 },
  'is capped at 30 s after refusals': { reason: 'refused', inARow: 50, random: 1, ms: 30_000 },
  'is capped at 30 s after expired versions': { reason: 'expired', inARow: 50, random: 1, ms: 30_000 },
  'is capped at 30 s after unreadable responses': { reason: 'unreadable', inARow: 50, random: 1, ms: 30_000 },
  'is capped at 5 s while the kind is missing': { reason: 'missing', inARow: 50, random: 1, ms: 5_000 },
  'is capped at 1 s while the server is unreachable': { reason: 'unreachable', inARow: 2_000, random: 1, ms: 1_000 },
  'is capped at 1 s after mute watches': { reason: 'mute', inARow: 50, random: 1, ms: 1_000 },
  'is at least the Retry-After': { reason: 'refused', inARow: 1, random: 0, retryAfter: 20_000, ms: 20_000 },
  'is at least the backoff if Retry-After is shorter': {
    reason: 'refused',
    inARow: 5,
    random: 1,
    retryAfter: 1_000,
    ms: 8_000
  },
  'honors at most a minute of Retry-After': {
    reason: 'refused',
    inARow: 1,
    random: 0,
    retryAfter: 86_400_000,
    ms: 60_000
  }
}

t.test('the wait before the next try:', async (t) => {
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
  'at once if the version has expired': { reason: 'expired', at: 1 },
  'at once if the kind is missing': { reason: 'missing', at: 1 },
  'at the third unreadable response in a row': { reason: 'unreadable', at: 3 },
  'at the fifth refusal in a row': { reason: 'refused', at: 5 },
  'never while the server is unreachable': { reason: 'unreachable', at: Infinity },
  'never after a mute watch': { reason: 'mute', at: Infinity }
}

t.test('a list replaces the watch', async (t) => {
  for (const [name, { reason, at }] of Object.entries(lists)) {
    t.test(name, async (t) => {
      const first =
        [1, 2, 3, 4, 5, 6, 1_000].find((inARow) => shouldRelist(new ListWatchError(reason, ''), inARow)) ?? Infinity
      t.equal(first, at)
    })
  }
})

t.test('the status code decides the reason of a refusal', async (t) => {
  const reasons = [400, 401, 403, 404, 410, 429, 500, 503].map(
    (code) => refusal({ code, message: 'no', retryAfterSeconds: 0, causes: [] }).reason
  )
  t.strictSame(reasons, ['refused', 'refused', 'refused', 'missing', 'expired', 'refused', 'refused', 'refused'])
  t.match(refusal({ code: 403, message: 'may not list', retryAfterSeconds: 2, causes: [] }), {
    message: 'the API server returned 403: may not list',
    retryAfter: 2_000
  })
})
