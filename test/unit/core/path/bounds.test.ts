import fc from 'fast-check'
import { JSONPath, JSONPathClass } from 'jsonpath-plus'
import t from 'tap'
import { FAULTS } from '../../../../src/core/faults.ts'
import {
  compilePathTemplate, renderPath, type RenderedPath, type TemplateCompilation
} from '../../../../src/core/path/template.ts'
import type { TemplateProblem } from '../../../../src/core/path/problem.ts'
import { isHttpRoutePath } from '../../../support/http/http-route-path.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'

/** Templates per property; `npm run test:chaos` generates more. */
const RUNS = Number(process.env['AIM_ADMISSION_FUZZ_RUNS'] ?? 5_000)

/** Makes the random tests reproducible. */
const SEED = 20_260_501

function run (template: string, service: JsonObject): TemplateCompilation | RenderedPath {
  const compilation = compilePathTemplate(template)
  return compilation.kind === 'compiled' ? renderPath(compilation, service) : compilation
}

/** Defects of a result; empty for a valid path, a pending path, and an invalid one with printable messages. */
function flaws (outcome: TemplateCompilation | RenderedPath, template: string): string[] {
  switch (outcome.kind) {
    case 'path':
      return isHttpRoutePath(outcome.path) && outcome.path.length <= 200 ? [] : [`not a path: ${outcome.path}`]
    case 'invalid': return outcome.problems.flatMap((problem) => problemFlaws(problem, template))
    case 'pending': return []
    case 'compiled': return ['not rendered']
  }
}

function problemFlaws (
  { code, position = 0, expression = '', what, remedy = '' }: TemplateProblem, template: string
): string[] {
  return [
    code in FAULTS ? '' : `no such code: ${code}`,
    position <= template.length ? '' : `beyond the template: ${position}`,
    [expression, what, remedy].some((text) => /[\p{Cc}\p{Cs}]/u.test(text))
      ? `not printable: ${JSON.stringify([expression, what, remedy])}`
      : '',
    what.length + remedy.length + expression.length > 700 ? `too long: ${what}` : ''
  ].filter((flaw) => flaw !== '')
}

function mulberry32 (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

t.test('every rendered path is valid for HTTPRoute objects', async (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({
      unit: fc.constantFrom('.', '/', '%', '2', 'e', 'E', 'f', '5', '\\', 'é', '\ud800', '#', '?', ' '),
      maxLength: 12
    })
  )
  const parts = fc.array(
    fc.oneof(
      text.map((literal) => literal.replaceAll(/[{}]/g, '')),
      fc.constantFrom('{.metadata.annotations.x}', '{.metadata.annotations.y}')
    ),
    { maxLength: 6 }
  )
  const { failed, counterexample } = fc.check(fc.property(parts, text, text, (pieces, x, y) => {
    const template = pieces.join('')
    return flaws(run(template, { metadata: { annotations: { x, y } } }), template).length === 0
  }), { seed: SEED, numRuns: RUNS })
  t.notOk(failed, JSON.stringify(counterexample))
})

/** Valid and invalid pieces of templates. */
const PIECES = [
  '{', '}', '{.', '.', '..', '[', ']', "['", "']", '["', '"]', '[?(', ')]', '(', ')', '@', '$', '*', ':', ',', '-', '1',
  '0', '==', '!=', '<', '>=', '"', "'", '\\', '/', ' ', '%2e', '^', '~', '`',
  'metadata', '.metadata', '.labels', '.spec', 'team', 'name', 'range', 'end', 'true', '__proto__', 'constructor',
  'length', 'é', '🚀', '\ud800', '\udc00', '\n', '\0', '\u2028', '#', '?'
]

t.test('compiling random characters never throws', async (t) => {
  const random = mulberry32(SEED)
  const wrong: string[] = []
  const service = { metadata: { name: 'a', labels: { team: 'b' } }, spec: { env: [{ name: 'x', value: 'y' }] } }
  let characters = 0
  while (characters < 10 * RUNS) {
    let template = ''
    for (let length = 5 + random() * 60; template.length < length;) {
      template += PIECES[Math.floor(random() * PIECES.length)] ?? ''
    }
    characters += template.length
    const found = flaws(run(template, service), template)
    if (found.length > 0) wrong.push(`${JSON.stringify(template)}: ${found.join('; ')}`)
  }
  t.same(wrong.slice(0, 5), [])
})

const KEYS = [
  'metadata',
  'spec',
  'labels',
  'annotations',
  'name',
  'uid',
  'generateName',
  'team',
  'env',
  'value',
  'ownerReferences',
  'resolvedRuntimeConfig',
  '__proto__',
  'constructor',
  'length',
  '',
  'a.b'
]
const VALUES = [
  null,
  true,
  false,
  0,
  -1,
  2.5,
  1e21,
  '',
  'x',
  'A b',
  '..',
  '%2e',
  '/',
  '//',
  'a/../b',
  '\ud800',
  '\0',
  'é'.repeat(50),
  'x'.repeat(300)
]

function randomValue (random: () => number, depth: number): unknown {
  const choice = random()
  if (depth === 0 || choice < 0.4) return VALUES[Math.floor(random() * VALUES.length)]
  if (choice < 0.55) return Array.from({ length: Math.floor(random() * 3) }, () => randomValue(random, depth - 1))
  return randomObject(random, depth)
}

function randomObject (random: () => number, depth: number): JsonObject {
  return Object.fromEntries(
    Array.from({ length: Math.floor(random() * 6) }, () => [
      KEYS[Math.floor(random() * KEYS.length)] ?? '',
      randomValue(random, depth - 1)
    ])
  )
}

t.test('rendering random objects neither throws nor changes them', async (t) => {
  const random = mulberry32(SEED)
  const templates = [
    '/{.metadata.name}/{.metadata.uid}', "/{.metadata.labels['team']}{.metadata.annotations.a\\.b}",
    '{.spec.env[0].value}/{.spec.env[-1:].name}', '{.spec.env[?(@.name=="x")].value}',
    '{..team}', '{.metadata.labels.__proto__}{.metadata.labels.constructor}', '{.spec.*}',
    "{.metadata['labels','annotations'].team}", '{.spec...*}', '{.metadata.ownerReferences[?(@.name>@.uid)].name}'
  ]
  const wrong: string[] = []
  for (let count = 0; count < 4 * RUNS; count += 1) {
    const service = { ...randomObject(random, 3), metadata: randomObject(random, 3), spec: randomObject(random, 3) }
    const template = templates[count % templates.length] ?? ''
    const before = count % 100 === 0 ? JSON.stringify(service) : undefined
    const found = flaws(run(template, service), template)
    if (before !== undefined && JSON.stringify(service) !== before) found.push('changed')
    if (found.length > 0) wrong.push(`${template} on ${JSON.stringify(service)}: ${found.join('; ')}`)
  }
  t.same(wrong.slice(0, 5), [])
})

function deep (levels: number): JsonObject {
  let object: JsonObject = {}
  for (let level = 0; level < levels; level += 1) object = { a: object }
  return object
}

const HOSTILE: JsonObject = {
  kind: 'AIMService',
  metadata: {
    name: 'hostile',
    labels: Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`label-${at}`, 'v'.repeat(63)])),
    annotations: { large: 'Z'.repeat(256_000), slashes: '/'.repeat(256_000), wide: 'é'.repeat(100_000) }
  },
  spec: {
    deep: deep(10_000),
    list: Array.from({ length: 200_000 }, () => 1),
    env: Array.from({ length: 900 }, (_, at) => ({ name: `n${at}`, value: 'v'.repeat(2_000) }))
  }
}

const hostile: Record<string, { template: string, code: string }> = {
  'descends into all values': { template: '{..x}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'descends again and again': { template: '{..a..a..a..a..a}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'descends in each of 16 expressions': { template: '{..a}'.repeat(16), code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'descends 10,000 levels': { template: '{.spec.deep..b}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'selects all labels': { template: '{.metadata.labels.*}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'selects all values, level by level': { template: '{.*.*.*.*.*.*}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'selects all items of a long list': { template: '{.spec.list[*]}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'multiplies a list': { template: `{.spec.env[*,*,*]${'[0:1,0:1,0:1]'.repeat(5)}}`, code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'filters a long list': { template: '{.spec.list[?(@==1)]}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'filters with a descent for each item': {
    template: '{.spec.env[?(@..name=="x")].value}',
    code: 'AIM-TEMPLATE-TOO-COMPLEX'
  },
  'filters within the budget': { template: '{.spec.env[?(@.name=="n899")].value}', code: 'AIM-PATH-TOO-LONG' },
  'splits a long string': { template: '{.metadata.annotations.large.*}', code: 'AIM-TEMPLATE-TOO-COMPLEX' },
  'names a long value': { template: '/{.metadata.annotations.large}', code: 'AIM-PATH-TOO-LONG' },
  'names a value of slashes only': { template: '/{.metadata.annotations.slashes}', code: 'AIM-PATH-TOO-LONG' },
  'names a long value that grows when encoded': {
    template: '/{.metadata.annotations.wide}',
    code: 'AIM-PATH-TOO-LONG'
  },
  'names a deeply nested field': { template: `{.spec.deep${'.a'.repeat(90)}}`, code: 'AIM-PATH-VALUE-NOT-SCALAR' },
  'is megabytes long': { template: '{.a}'.repeat(750_000), code: 'AIM-TEMPLATE-TOO-LONG' },
  'consists of mistakes': { template: '{a}'.repeat(341), code: 'AIM-TEMPLATE-TOO-LONG' },
  'never closes its brackets': { template: '{.a[?('.repeat(170), code: 'AIM-TEMPLATE-TOO-LONG' },
  'never closes its quotes': { template: "{['".repeat(340), code: 'AIM-TEMPLATE-TOO-LONG' }
}

t.test('work on a hostile service is bounded if a template', async (t) => {
  for (const [name, { template, code }] of Object.entries(hostile)) {
    t.match(run(template, HOSTILE), { problems: [{ code }] }, name)
  }
})

t.test('scripts are refused when the template is compiled', async (t) => {
  for (const template of [
    '{.spec.env[(@.length-1)]}', '{.spec.env[?(@.x==f())]}', '{.metadata.name^}', '{@string()}',
    '{.spec.env[?(@.name=~"x")]}'
  ]) t.match(compilePathTemplate(template), { problems: [{ code: 'AIM-TEMPLATE-UNSUPPORTED' }] }, template)
})

t.test('the budget suffices for several descents through an ordinary service', async (t) => {
  const env = Array.from({ length: 60 }, (_, at) => ({ name: `N${at}`, value: 'v' }))
  t.same(
    run('/{..ref}/{.spec..image}/{.spec.env[?(@.name=="N59")].value}', {
      metadata: { name: 'a' },
      spec: { model: { ref: 'm' }, runtime: { image: 'i' }, env }
    }),
    { kind: 'path', path: '/m/i/v' }
  )
})

/** Runs a job while every way to evaluate code throws. */
function withoutEvaluators<T> (job: () => T): T {
  const forbid = { configurable: true, get: (): never => { throw new Error('code was run') } }
  const ways: [owner: object, name: string][] = [
    [Function.prototype, 'constructor'], [globalThis, 'Function'], [globalThis, 'eval'],
    ...['vm', 'safeVm', '_eval'].map((name): [object, string] => [JSONPathClass.prototype, name])
  ]
  const before = ways.map(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name) ?? {})
  for (const [owner, name] of ways) Object.defineProperty(owner, name, forbid)
  try {
    return job()
  } finally {
    for (const [at, [owner, name]] of ways.entries()) Object.defineProperty(owner, name, before[at] ?? {})
  }
}

t.test('nothing is ever executed', async (t) => {
  const paths = t.capture(JSONPath, 'toPathArray', JSONPath.toPathArray)
  const service = {
    metadata: { name: 'a', labels: { '(1+1)': 'x', '?(true)': 'y', '`a': 'z', '^': 'w', '$..*': 'v' } },
    spec: { env: [{ name: 'x', value: 'y' }] }
  }
  const templates = [
    '{..value}', '{.spec.*}', '{.metadata.labels.*}', '{.spec.env[?(@.name=="x")].value}', '{.spec.env[*]..value}',
    "{.metadata.labels['(1+1)']}", "{.metadata.labels['?(true)','^']}",
    '{.spec.env[(@.length-1)]}', '{.spec.env[?(@.constructor.constructor("x")())]}',
    '{.spec.env[?(@.name==process.exit())]}', '{.metadata.name^}', '{.metadata.name~}', '{.`metadata}', '{@string()}',
    '{$..["constructor"]}'
  ]
  for (const template of templates) {
    t.same(
      withoutEvaluators(() => flaws(run(template, service), template)),
      [],
      template
    )
  }
  t.same(
    [...new Set(paths().map(({ args: [path] }) => path))].sort(),
    ["$['..'][*]", '$[*]'],
    'jsonpath-plus gets two constant paths only'
  )
})

t.test('no prototype is ever reached', async (t) => {
  const touched: string[] = []
  const root: object = Object.prototype
  for (const name of ['inherited', 'team']) {
    Object.defineProperty(root, name, { configurable: true, get: () => { touched.push(name); return 'reached' } })
    t.teardown(() => { Reflect.deleteProperty(root, name) })
  }
  const service = JSON.parse(
    '{"metadata":{"name":"a","labels":{"__proto__":"own","x":{"__proto__":{"inherited":"own"}}}},' +
    '"spec":{"__proto__":{"deep":"own"},"resolvedRuntimeConfig":{}}}'
  ) as JsonObject
  const missing = { kind: 'invalid', problems: [{ code: 'AIM-PATH-FIELD-MISSING' }] }
  for (const name of ['inherited', 'team', 'constructor', 'toString', 'hasOwnProperty', 'length']) {
    t.match(run(`{.metadata.labels.${name}}`, service), missing, name)
  }
  for (const expression of [
    '{.spec.inherited}',
    '{.spec..team}',
    '{.spec.*.inherited}',
    '{.metadata.name.inherited}',
    '{.metadata.name.length}',
    '{.spec["__proto__"].inherited}'
  ]) { t.match(run(expression, service), missing, expression) }
  t.same(touched, [])
  t.same(
    run('/{.metadata.labels.__proto__}', service),
    { kind: 'path', path: '/own' },
    'a key of that name is data'
  )
  t.same(run('/{.spec.__proto__.deep}/{..deep}/{.spec.*.deep}', service), { kind: 'path', path: '/own/own/own' })
})
