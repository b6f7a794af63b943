import t from 'tap'
import { decodeObject } from '../../../src/api/validate-object.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const HOSTILE = JSON.parse('{"__proto__":{"a":null},"constructor":1}') as JsonObject

const cases: Record<string, { given: JsonObject, want: JsonObject }> = {
  'fills in the default': { given: { spec: {} }, want: { spec: { replicas: 1 } } },
  'keeps a given value': { given: { spec: { replicas: 0 } }, want: { spec: { replicas: 0 } } },
  'replaces a null by the default': {
    given: { spec: { replicas: null, cacheModel: null } },
    want: { spec: { replicas: 1 } }
  },
  'drops nulls in maps and in the items of lists': {
    given: { metadata: { labels: { team: null } }, spec: { replicas: 1, env: [{ name: 'A', value: null }] } },
    want: { metadata: { labels: {} }, spec: { replicas: 1, env: [{ name: 'A' }] } }
  },
  'keeps a null item of a list': {
    given: { spec: { replicas: 1, env: [null] } },
    want: { spec: { replicas: 1, env: [null] } }
  },
  'keeps unknown fields for the validator': {
    given: { spec: { replicas: 1, foo: null }, bar: [null] }, want: { spec: { replicas: 1, foo: null }, bar: [null] }
  },
  'does not add a spec': { given: {}, want: {} },
  'keeps values of the wrong type': { given: { metadata: 1, spec: 'x' }, want: { metadata: 1, spec: 'x' } },
  'treats hostile keys as data': { given: HOSTILE, want: HOSTILE }
}
for (const [name, { given, want }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const before = JSON.stringify(given)
    t.same(decodeObject('AIMService', given), want)
    t.equal(JSON.stringify(given), before, 'the given object is unchanged')
  })
}
