import t from 'tap'
import { errorMessage } from '../../../src/platform/error-message.ts'

const cases: Record<string, { thrown: unknown, want: string }> = {
  'an error says it by its message': { thrown: new TypeError('no such thing'), want: 'no such thing' },
  'an error without a message says it by its code': {
    thrown: Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
    want: 'ECONNREFUSED'
  },
  'an error with neither says it by its name': { thrown: new RangeError(), want: 'RangeError' },
  'anything else says it itself': { thrown: 'stop', want: 'stop' }
}

for (const [name, { thrown, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(errorMessage(thrown), want) })
}
