import t from 'tap'
import { ConfigTallies, type Contribution } from '../../../src/reconcile/config-tallies.ts'

const CONFIG = 'AIMRuntimeConfig/ml-team/default'
const uses = (hash: string, parts: Partial<Contribution> = {}): Contribution => ({
  config: CONFIG,
  hash,
  failing: false,
  ...parts
})

t.test('counts services as they are created, change and are deleted', async (t) => {
  const tallies = new ConfigTallies()
  t.match(tallies.tally(CONFIG, 'new'), { total: 0, current: 0, failing: 0 })
  tallies.update('a', uses('old'))
  tallies.update('b', uses('new'))
  tallies.update('c', uses('new', { failing: true }))
  tallies.update('d', uses('', { failing: true }))
  t.match(tallies.tally(CONFIG, 'new'), { total: 4, current: 2, failing: 2 })
  t.strictSame([...tallies.tally(CONFIG, 'new').failingCurrent], ['c'])
  t.strictSame([...tallies.stale(CONFIG, 'new')], ['a', 'd'])
  tallies.update('a', uses('new'))
  tallies.update('c', undefined)
  tallies.update('d', uses('new'))
  t.match(tallies.tally(CONFIG, 'new'), { total: 3, current: 3, failing: 0, failingCurrent: new Set() })
  t.strictSame([...tallies.stale(CONFIG, 'new')], [])
  t.match(tallies.tally(CONFIG, 'old'), { total: 3, current: 0 })
})

t.test('returns the configurations whose tally changed', async (t) => {
  const tallies = new ConfigTallies()
  const other = 'AIMClusterRuntimeConfig//default'
  t.strictSame(tallies.update('a', uses('old')), [CONFIG])
  t.strictSame(tallies.update('a', uses('old')), [])
  t.strictSame(tallies.update('a', uses('new')), [CONFIG])
  t.strictSame(tallies.update('a', uses('new', { config: other })), [CONFIG, other])
  t.equal(tallies.configOf('a'), other)
  t.strictSame(tallies.update('a', undefined), [other])
  t.strictSame(tallies.update('a', undefined), [])
  t.equal(tallies.configOf('a'), undefined)
  t.match([tallies.tally(CONFIG, 'new'), tallies.tally(other, 'new')], [{ total: 0 }, { total: 0 }])
})
