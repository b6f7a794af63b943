import fc from 'fast-check'
import type { JsonObject } from '../../../src/platform/json.ts'

const key = fc.constantFrom('a', 'b', 'c', 'a.b', 'x/y', 'name')
const scalar = fc.oneof(
  fc.constantFrom('x', 'y', 'z', '10', '', 'é', 'w w'),
  fc.integer({ min: -3, max: 12 }),
  fc.constantFrom(2.5, 1_000_000, true, false, null)
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 3 })
  )
}))
const records = fc.array(fc.record({ name: fc.constantFrom('x', 'y', 'z'), a: scalar }, { requiredKeys: [] }), {
  maxLength: 4
})

/** Services whose spec is a small random tree, often a list of records. */
export const anyService: fc.Arbitrary<JsonObject & { spec: Record<string, unknown> }> = fc.record({
  apiVersion: fc.constant('aim.silogen.ai/v1alpha1'),
  kind: fc.constant('AIMService'),
  metadata: fc.record({
    name: fc.constant('chat'),
    uid: fc.constant('u'),
    creationTimestamp: fc.constant('t'),
    labels: fc.dictionary(key, fc.constantFrom('x', 'y', 'v w'))
  }),
  spec: fc.dictionary(key, fc.oneof(tree, records), { minKeys: 1, maxKeys: 4 })
})

const field = key.map((name) => `.${escaped(name)}`)
const index = fc.integer({ min: -3, max: 3 }).map(String)
const bound = fc.oneof(fc.constant(''), index)
const slice = fc
  .tuple(bound, bound, fc.constantFrom('', ':', ':1', ':2', ':-1', ':0'))
  .map(([from, to, step]) => `${from}:${to}${step}`)
const member = fc.oneof(index, slice, key.map((name) => `'${escaped(name)}'`), fc.constantFrom('*', ''))
const operand = fc.oneof(
  field.map((name) => `@${name}`),
  fc.constantFrom('@', '.name', '@.*', '@..a', '@[0]', '@.a[0]', '@.a[5]', '"x"', '')
)
const comparison = fc
  .tuple(
    fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
    fc.constantFrom('"x"', "'y'", '10', '3', '-1', 'true', '@.name', '.a', '"w w"')
  )
  .map((two) => two.join(''))
const step = fc.oneof(
  { weight: 4, arbitrary: field },
  {
    weight: 3, arbitrary: fc.array(member, { minLength: 1, maxLength: 3 }).map((members) => `[${members.join(', ')}]`)
  },
  {
    weight: 2,
    arbitrary: fc.tuple(operand, fc.oneof(fc.constant(''), comparison)).map(([left, rest]) => `[?(${left}${rest})]`)
  },
  { weight: 1, arbitrary: fc.constantFrom('.*', '..', '..a', '...*', '$', ' ', '"t"', '5', 'true') }
)
const start = fc.constantFrom(
  '.spec',
  '.spec',
  '$.spec',
  '@.spec',
  ' .spec',
  "['spec']",
  '..spec',
  '.metadata.labels',
  ''
)

/** Expressions of kubectl's grammar that rarely match the object. */
export const anyExpression: fc.Arbitrary<string> = fc
  .tuple(start, fc.array(step, { maxLength: 4 }))
  .map(([first, rest]) => `{${first}${rest.join('')}}`)

/** A service, and an expression of kubectl's grammar that names a value in it. */
export const fittingPair: fc.Arbitrary<readonly [expression: string, service: JsonObject]> = fc
  .tuple(
    anyService,
    start.filter((text) => text.endsWith('spec') || text.endsWith(']')),
    fc.infiniteStream(fc.nat({ max: 1_000 }))
  )
  .map(([service, first, choices]) => [`{${first}${walk(service.spec, choices)}}`, service] as const)

/** An expression with one character changed, removed, or inserted. */
export function damaged (expression: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const character = fc.constantFrom(...Array.from('\'"[]().* ?@\\-1:,={$a!<'), '')
  return fc.tuple(expression, fc.nat(), character, fc.nat({ max: 1 }))
    .map(([text, where, character, replaced]) => {
      const at = 1 + where % (text.length - 1)
      return text.slice(0, at) + character + text.slice(at + replaced)
    })
}

function walk (from: unknown, choices: fc.Stream<number>): string {
  // never of an empty list
  const choose = <T>(options: readonly T[]): T => options[choices.next().value % options.length] as T
  let text = ''
  let value = from
  const isDeepened = (container: object) => Object.keys(container).length > 0 && choices.next().value % 16 > 0
  while (typeof value === 'object' && value !== null && isDeepened(value)) {
    const at = choose(Object.keys(value))
    text += choose(Array.isArray(value) ? itemForms(value, Number(at)) : fieldForms(at))
    value = (value as Record<string, unknown>)[at] // lists have their indexes as keys
  }
  return text
}

function fieldForms (name: string): string[] {
  const dotted = `.${escaped(name)}`
  return [
    dotted,
    dotted,
    dotted,
    dotted,
    dotted,
    dotted,
    `['${escaped(name)}']`,
    `['${escaped(name)}','none']`,
    ` ${dotted}`,
    `$${dotted}`,
    `.${dotted}`,
    '.*',
    "['*']",
    '...*'
  ]
}

function itemForms (list: readonly unknown[], at: number): string[] {
  const back = at - list.length
  const forms = [
    `[${at}]`,
    `[${at}]`,
    `[${at}]`,
    `[${back}]`,
    `[${back}]`,
    `[${at}:${at + 1}]`,
    `[${back}:]`,
    `[:${at + 1}]`,
    `[::${list.length}]`,
    `[${at},${at}:${at}]`,
    '[*]',
    '[]',
    '[?(@)]',
    '.*'
  ]
  const item = list[at]
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return forms
  return [...forms, ...Object.entries(item).flatMap(([name, value]) => filterForms(escaped(name), value))]
}

function filterForms (name: string, value: unknown): string[] {
  const exists = `[?(@.${name})]`
  if (typeof value === 'object') return [exists]
  const literal = JSON.stringify(value)
  return [exists, ...['==', '==', '!=', '<=', '>', ' == '].map((operator) => `[?(@.${name}${operator}${literal})]`)]
}

function escaped (name: string): string {
  return name.replaceAll('.', '\\.')
}
