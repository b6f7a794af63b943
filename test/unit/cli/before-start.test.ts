import t from 'tap'
import { missingFlags } from '../../../src/cli/before-start.ts'

const SUPPORTED = new Set(['--max-old-space-size-percentage'])
const names = (given: string): string[] => missingFlags(given, SUPPORTED).map((flag) => flag.replace(/=.*/, ''))
const ALL = names('')

t.test('a flag that Node was given replaces the own one', async (t) => {
  const cases: Record<string, string> = {
    '--max-semi-space-size=16': '--max-semi-space-size',
    '--max_semi_space_size 16': '--max-semi-space-size',
    '--max-old-space-size=64': '--max-old-space-size-percentage',
    '--max-old-space-size-percentage=50': '--max-old-space-size-percentage',
    '--no-expose-gc': '--expose-gc',
    '--v8-pool-size=4 --inspect': '--v8-pool-size'
  }
  for (const [given, replaced] of Object.entries(cases)) t.same(names(given), ALL.filter((name) => name !== replaced))
})

t.test('nothing is missing once the flags are given', async (t) => {
  t.same(names(missingFlags('--cpu-prof', SUPPORTED).join(' ')), [])
  t.equal(ALL.length, 5)
})

t.test('a flag that this Node does not have is left out', async (t) => {
  t.same(missingFlags('', new Set()).length, ALL.length - 1)
  t.ok(process.allowedNodeEnvironmentFlags.has('--max-old-space-size-percentage'), 'the name is right')
})
