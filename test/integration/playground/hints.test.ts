import t from 'tap'
import { examine, whatIf } from '../../../playground/examine.ts'
import { fixOf } from '../../../playground/fixes.ts'
import { describe, suggest } from '../../../playground/schema-hints.ts'
import type { Texts } from '../../../playground/texts.ts'

const config = (spec: string, { kind = 'AIMRuntimeConfig', name = 'default' } = {}): string =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: ${kind}\nmetadata:\n  name: ${name}\n` +
  `${kind === 'AIMRuntimeConfig' ? '  namespace: ml\n' : ''}spec:\n${spec}`
const service = (spec: string, metadata = '', name = 'one'): string =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata:\n  name: ${name} # kept\n  namespace: ml\n` +
  `${metadata}spec:\n${spec}`
const MODEL = '  model: {ref: x}\n'
const ROUTED = '  routing:\n    enabled: true\n    gatewayRef: {name: g}\n'
const BY_TEAM = config(`${ROUTED}    pathTemplate: "/{.metadata.labels['team']}"\n`)
const EMPTY = config('  {}\n')

interface Case extends Partial<Texts> { readonly title: string, readonly becomes: RegExp | string }

const FIXED: Readonly<Record<string, Case>> = {
  'a missing label': {
    configs: BY_TEAM, services: service(MODEL), title: 'Set label team', becomes: '  labels:\n    team: example\n'
  },
  'a misspelled label': {
    configs: BY_TEAM,
    services: service(MODEL, '  labels: {tem: x, other: z}\n'),
    title: 'Rename tem to team',
    becomes: '  labels: {team: x, other: z}\n'
  },
  'a taken path': {
    configs: BY_TEAM,
    services: `${service(MODEL, '  labels:\n    team: x\n')}---\n${service(MODEL, '  labels:\n    team: x\n', 'two')}`,
    title: 'Give it a path of its own',
    becomes: /name: two[^]*pathTemplate: "\/\{\.metadata\.namespace\}\/\{\.metadata\.name\}"/
  },
  'a template without a slash': {
    services: service(`${MODEL}  routing:\n    enabled: true\n    gatewayRef: {name: g}\n    pathTemplate: x\n`),
    configs: config('  routing: {enabled: false}\n'),
    title: 'Add the slash',
    becomes: 'pathTemplate: /x'
  },
  'a misspelled configuration': {
    configs: config('  routing: {enabled: false}\n', { name: 'base' }),
    services: service(`${MODEL}  runtimeConfigName: bsae\n`),
    title: 'Use base',
    becomes: 'runtimeConfigName: base'
  },
  'a misspelled field': {
    configs: config('  routng:\n    enabled: true # why\n'),
    title: 'Rename routng to routing',
    becomes: '  routing:\n    enabled: true # why\n'
  },
  'an unknown field': {
    configs: config('  routing: {enabled: true}\n  zebra:\n    a: b\n'),
    title: 'Remove zebra',
    becomes: 'spec:\n  routing: {enabled: true}\n'
  },
  'a misspelled value': {
    configs: config('  model:\n    creationScope: cluster\n'), title: 'Write Cluster', becomes: 'creationScope: Cluster'
  },
  'a number in quotes': {
    configs: EMPTY,
    services: service(`${MODEL}  replicas: "2"\n`),
    title: 'Write 2 without quotes',
    becomes: 'replicas: 2\n'
  },
  'a text that YAML reads as a boolean': {
    configs: EMPTY,
    services: service(`${MODEL}  env:\n  - name: DEBUG\n    value: yes\n`),
    title: 'Write "yes" in quotes',
    becomes: '  env:\n  - name: DEBUG\n    value: "yes"\n'
  },
  'credentials of the cluster': {
    configs: config('  serviceAccountName: x\n  defaultStorageClassName: fast\n', { kind: 'AIMClusterRuntimeConfig' }),
    title: 'Remove serviceAccountName',
    becomes: 'spec:\n  defaultStorageClassName: fast\n'
  },
  'two models': {
    configs: EMPTY,
    services: service('  model:\n    ref: a\n    image: b\n'),
    title: 'Remove image',
    becomes: 'model:\n    ref: a\n'
  },
  'no model': {
    configs: EMPTY, services: service('  replicas: 1\n'), title: 'Name a model', becomes: 'ref: my-model'
  },
  'an invalid name': {
    configs: EMPTY,
    services: service(MODEL, '', 'Big_Model'),
    title: 'Write big-model',
    becomes: 'name: big-model # kept'
  },
  'a doubled name': {
    configs: EMPTY,
    services: `${service(MODEL)}---\n${service(MODEL)}`,
    title: 'Rename it one-2',
    becomes: 'name: one-2 # kept'
  },
  'a block by hand': {
    configs: EMPTY,
    services: service(`${MODEL}  resolvedRuntimeConfig:\n    kind: AIMRuntimeConfig\n    scope: Namespace\n` +
      `    name: x\n    hash: sha256:${'0'.repeat(64)}\n    model: {creationScope: Cluster, autoDiscovery: true}\n` +
      '    routing: {enabled: true, pathTemplate: /x}\n'),
    title: 'Remove resolvedRuntimeConfig',
    becomes: new RegExp(`spec:\n${MODEL}$`)
  }
}

for (const [name, { configs = '', services = '', title, becomes }] of Object.entries(FIXED)) {
  t.test(`fixes ${name}, and keeps the rest as written`, async (t) => {
    const texts: Record<'configs' | 'services', string> = { configs, services }
    const before = examine(texts).objects.flatMap(({ remarks }) => remarks)
    const remark = before.find((each) => fixOf(each, texts[each.text]) !== undefined)
    const fix = remark && fixOf(remark, texts[remark.text])
    t.equal(fix?.title, title)
    if (fix === undefined || remark === undefined) return
    texts[remark.text] = fix.text
    t.match(fix.text, becomes)
    if (remark.text === 'services') t.match(fix.text, ' # kept')
    const after = examine(texts)
    t.strictSame(after.faults, [])
    t.notOk(after.objects.flatMap(({ remarks }) => remarks).some(({ code, field }) =>
      code === remark.code && field === remark.field), `${remark.message} is gone`)
  })
}

t.test('no fix for what is not one change of an object in YAML', async (t) => {
  const tooLong = service(`${MODEL}  routing: {enabled: true, gatewayRef: {name: g}, pathTemplate: "/{"}\n`)
  const json = JSON.stringify({ apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMService', metadata: {}, spec: {} })
  for (const services of [tooLong, json, 'kind: [']) {
    const { objects, faults } = examine({ configs: EMPTY, services })
    const all = [...faults, ...objects.flatMap(({ remarks }) => remarks)]
    t.ok(all.length > 0)
    t.strictSame(all.flatMap((remark) => fixOf(remark, services) ?? []), [])
  }
})

const NAMES = { configs: ['default', 'fast'], labels: ['team'] }
const GIVEN = { otherwise: 'AIMService', names: NAMES } as const
/** The suggestions where `|` stands. */
const at = (text: string): string[] =>
  suggest(text.replace('|', ''), text.indexOf('|'), GIVEN)?.options.map(({ label }) => label) ?? []

const HEAD = 'apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata:\n  name: x\n'
const SUGGESTED: Readonly<Record<string, readonly [text: string, labels: readonly string[]]>> = {
  'fields of an empty text': ['|', ['apiVersion', 'kind', 'metadata', 'spec']],
  'fields of metadata that are missing': [`${HEAD}  |`, ['namespace', 'labels', 'annotations']],
  'fields below a field': [
    `${HEAD}spec:\n  routing:\n    |\n  model: {ref: x}`, ['enabled', 'gatewayRef', 'annotations', 'pathTemplate']
  ],
  'fields of the items of a list': [`${HEAD}spec:\n  imagePullSecrets:\n  - |`, ['name']],
  'the values of a field': [`${HEAD}spec:\n  overrides:\n    metric: |`, ['latency', 'throughput']],
  booleans: [`${HEAD}spec:\n  cacheModel: |`, ['true', 'false']],
  'names of configurations': [`${HEAD}spec:\n  runtimeConfigName: |`, ['default', 'fast']],
  'expressions of a template': [`${HEAD}spec:\n  routing:\n    pathTemplate: "/x/{|`,
    ['{.metadata.namespace}', '{.metadata.name}', '{.metadata.labels[\'team\']}']],
  'nothing behind an expression': [`${HEAD}spec:\n  routing:\n    pathTemplate: "/{.metadata.name}|`, []],
  'nothing below an unknown field': [`${HEAD}spec:\n  nothing:\n    |`, []],
  'fields of another kind by its document': [
    `${HEAD}spec:\n  model: {}\n---\nkind: AIMClusterRuntimeConfig\nspec:\n  |\n---\nkind: AIMService`,
    ['defaultStorageClassName', 'model', 'routing']
  ]
}
for (const [name, [text, labels]] of Object.entries(SUGGESTED)) {
  t.test(`suggests ${name}`, async (t) => { t.strictSame(at(text), labels) })
}

t.test('a suggestion replaces the written part, and goes on where a map or a list starts', async (t) => {
  const text = `${HEAD}spec:\n  rou`
  const { from, options = [] } = suggest(text, text.length, GIVEN) ?? {}
  t.equal(from, text.length - 'rou'.length)
  t.match(options.find(({ label }) => label === 'routing'), { detail: 'object', info: /\w/, apply: 'routing:\n    ' })
  t.equal(options.find(({ label }) => label === 'env')?.apply, 'env:\n  - ')
  t.equal(options.find(({ label }) => label === 'replicas')?.apply, 'replicas: ')
})

t.test('describes the field below the pointer', async (t) => {
  const text = `${HEAD}spec:\n  routing:\n    pathTemplate: /x\n`
  const found = describe(text, text.indexOf('Template'), 'AIMService')
  t.match(found, { field: 'spec.routing.pathTemplate', description: /^Template of the path[^]*\nExample: / })
  t.equal(text.slice(found?.from, found?.to), 'pathTemplate')
  t.equal(describe(text, text.indexOf('/x'), 'AIMService'), undefined, 'not a key')
  t.equal(describe('nothing: here', 2, 'AIMService'), undefined)
})

t.test('what if: the services that other configurations break, move, and leave alone', async (t) => {
  const services = [
    service(MODEL, '  labels: {team: nlp}\n', 'moves'), service(MODEL, '', 'breaks'),
    service(`${MODEL}  routing:\n    pathTemplate: /own\n`, '', 'stays'),
    service('  model: {}\n', '', 'refused')
  ].join('---\n')
  const before = config(ROUTED)
  const { predictions = [], leftOut } = whatIf(before, { configs: BY_TEAM, services })
  t.strictSame(predictions.map(({ service: { name }, effect, after }) => [name, effect, after.path]), [
    ['moves', 'moves', '/nlp'], ['breaks', 'breaks', undefined], ['stays', 'stays', '/own']
  ])
  t.equal(leftOut, 1)
  const removed = whatIf(before, { configs: '', services }).predictions?.map(({ effect }) => effect)
  t.strictSame(removed, ['breaks', 'breaks', 'breaks'], 'without its configuration a service is degraded')
  t.equal(whatIf(before, { configs: before.replace('spec:', 'spec:\n  x: y'), services }).predictions, undefined)
})
