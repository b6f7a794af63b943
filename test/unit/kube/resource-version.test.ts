import t from 'tap'
import { isNewerVersion } from '../../../src/kube/watch/resource-version.ts'

const cases: Record<string, { version: string, than: string, newer: boolean }> = {
  'a larger number is newer': { version: '102', than: '101', newer: true },
  'a smaller number is not newer': { version: '101', than: '102', newer: false },
  'a version is not newer than itself': { version: '101', than: '101', newer: false },
  'numbers are compared by value, not as text': { version: '1000', than: '999', newer: true },
  'and the other way round': { version: '999', than: '1000', newer: false },
  'numbers beyond 64 bits compare exactly': {
    version: '36893488147419103233',
    than: '36893488147419103232',
    newer: true
  },
  'a version that is no number counts as newer': { version: 'b', than: '101', newer: true },
  'than a version that is no number, every other is newer': { version: '101', than: 'b', newer: true },
  'a leading zero makes a version no number': { version: '099', than: '101', newer: true },
  'zero is no version of an object': { version: '0', than: '101', newer: true },
  'a version that is no number is not newer than itself': { version: 'b', than: 'b', newer: false }
}

for (const [name, { version, than, newer }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(isNewerVersion(version, than), newer) })
}
