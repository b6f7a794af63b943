import t from 'tap'
import { checkVersion, OLDEST_MINOR } from '../../../src/cli/commands/doctor/check-surroundings.ts'
import type { ReadResult } from '../../../src/core/ports.ts'

const found = (major: string, minor: string, gitVersion: string): ReadResult =>
  ({ kind: 'found', object: { major, minor, gitVersion } })

const cases: Readonly<Record<string, { readonly live: ReadResult, readonly want: object }>> = {
  'the oldest supported version': {
    live: found('1', String(OLDEST_MINOR), 'v1.31.0'), want: { kind: 'ok', what: 'is Kubernetes v1.31.0' }
  },
  'a version of a provider': { live: found('1', '33+', 'v1.33.4-eks-abc'), want: { kind: 'ok' } },
  'a next major version': { live: found('2', '0', 'v2.0.0'), want: { kind: 'ok' } },
  'an older version': {
    live: found('1', '30+', 'v1.30.9-gke.1'),
    want: { kind: 'problem', what: 'is Kubernetes v1.30.9-gke.1; upgrade it to 1.31 or later' }
  },
  'a build without a version': {
    live: found('', '', 'v0.0.0-master+$Format:%H$'), want: { kind: 'unknown', what: /v0\.0\.0-master/ }
  },
  'a refused request': { live: { kind: 'failed', reason: 'forbidden' }, want: { kind: 'unknown', what: 'forbidden' } },
  'no version': { live: { kind: 'missing' }, want: { kind: 'unknown', what: 'reports no version' } }
}
for (const [name, { live, want }] of Object.entries(cases)) {
  t.test(`the version of the API server: ${name}`, async (t) => {
    t.match(await checkVersion({ read: async (path) => path === '/version' ? live : { kind: 'missing' } }), want)
  })
}
