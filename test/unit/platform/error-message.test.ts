import t from 'tap'
import { errorMessage } from '../../../src/platform/error-message.ts'

const cases: Record<string, { thrown: unknown, want: string }> = {
  'an error has its message': { thrown: new TypeError('no such thing'), want: 'no such thing' },
  'an error without a message has its code': {
    thrown: Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
    want: 'ECONNREFUSED'
  },
  'an error with neither has its name': { thrown: new RangeError(), want: 'RangeError' },
  'any other value is converted to a string': { thrown: 'stop', want: 'stop' }
}

for (const [name, { thrown, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(errorMessage(thrown), want) })
}
