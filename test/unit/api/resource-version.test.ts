import t from 'tap'
import { isNewerVersion } from '../../../src/api/object-meta.ts'

const cases: Record<string, { version: string, than: string, newer: boolean }> = {
  'a larger number is newer': { version: '102', than: '101', newer: true },
  'a smaller number is not newer': { version: '101', than: '102', newer: false },
  'a version is not newer than itself': { version: '101', than: '101', newer: false },
  'numbers are compared by value, not as text': { version: '1000', than: '999', newer: true },
  'a number with fewer digits is not newer': { version: '999', than: '1000', newer: false },
  'numbers beyond 64 bits compare exactly': {
    version: '36893488147419103233',
    than: '36893488147419103232',
    newer: true
  },
  'a version that is not a number is newer': { version: 'b', than: '101', newer: true },
  'every version is newer than one that is not a number': { version: '101', than: 'b', newer: true },
  'a version with a leading zero is not a number': { version: '099', than: '101', newer: true },
  'zero is not the version of an object': { version: '0', than: '101', newer: true },
  'a version that is not a number is not newer than itself': { version: 'b', than: 'b', newer: false }
}

for (const [name, { version, than, newer }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(isNewerVersion(version, than), newer) })
}
