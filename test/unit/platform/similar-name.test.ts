import t from 'tap'
import { didYouMean, similarName } from '../../../src/platform/similar-name.ts'

t.test('finds the name that was probably meant', async (t) => {
  const cases: ReadonlyArray<readonly [string, readonly string[], string | undefined]> = [
    ['defualt', ['other', 'default'], 'default'],
    ['tema', ['app', 'team'], 'team'],
    ['Team', ['team'], 'team'],
    ['label', ['labels', 'annotations'], 'labels'],
    ['gatewayref', ['gatewayRef', 'pathTemplate'], 'gatewayRef'],
    ['defaultt', ['defaults', 'default'], 'defaults'],
    ['test', ['team', 'prod'], undefined],
    ['default', ['default'], undefined],
    ['a', ['b'], undefined],
    ['', ['b'], undefined]
  ]
  for (const [name, known, expected] of cases) t.equal(similarName(name, known), expected, `${name} of ${known.join()}`)
})

t.test('writes it as a remark', async (t) => {
  t.equal(didYouMean('defualt', ['default']), ' (did you mean "default"?)')
  t.equal(didYouMean('gpu', ['default']), '')
})

t.test('compares a bounded number of names', async (t) => {
  let read = 0
  const names = function * (): Generator<string> {
    for (;;) yield `name-${read++}`
  }
  similarName('default', names())
  t.ok(read <= 201, `${read} names read`)
})
