import { readFile } from 'node:fs/promises'
import { Ajv } from 'ajv'
import { XMLParser } from 'fast-xml-parser'
import t, { type Test } from 'tap'
import { reviewCommand } from '../../../src/cli/commands/review/command.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { BY_TEAM, manifest, routed, type Parts } from '../../support/builders/manifests.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

type Files = NonNullable<Parameters<Test['testdir']>[0]>
interface Given {
  readonly files: Files
  readonly flags: readonly string[]
  readonly stdin?: string
  readonly showsProgress?: boolean
  readonly colors?: boolean
}

/** Runs the command with the product's webhooks. `$name` in the flags is a path of a given file. */
async function run (t: Test, { files, flags, ...about }: Given): Promise<Shown> {
  const folder = t.testdir(files)
  const { terminal, shown } = fakeTerminal(about)
  await reviewCommand({ ...terminal, version: '1.2.3' }).parseAsync(
    flags.map((flag) => flag.replace(/^\$/, `${folder}/`)),
    { from: 'user' }
  )
  const bare = (text: string) => text.replaceAll(`${folder}/`, '').replaceAll(`file://${folder}/`, '')
  return { ...shown, out: bare(shown.out), err: bare(shown.err) }
}

const service = (name: string, parts: Parts = {}) => manifest({ namespace: 'ml-team', name, ...parts })
const config = (spec: object = {}, parts: Parts = {}) =>
  manifest({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default', spec, ...parts })
const lines = (out: string) =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonObject)

/** A configuration, and services with faults on known lines. */
const MISTAKES = `apiVersion: aim.silogen.ai/v1alpha1
kind: AIMRuntimeConfig
metadata: {name: default, namespace: ml-team}
spec:
  routing: {enabled: true, pathTemplate: "/{.metadata.labels['team']}"}
---
apiVersion: aim.silogen.ai/v1alpha1
kind: AIMService
metadata:
  name: no-label
  namespace: ml-team
  labels:
    app: chat
spec: {model: {ref: a}}
---
apiVersion: aim.silogen.ai/v1alpha1
kind: AIMService
metadata: {name: wrong-type, namespace: ml-team}
spec:
  model: {ref: a}
  replicas: two
  env:
  - name: A
  - {}
---
apiVersion: aim.silogen.ai/v1alpha1
kind: AIMService
metadata: {name: bad-template, namespace: ml-team}
spec:
  model: {ref: a}
  routing:
    pathTemplate: "/{.metadata.name"
---
apiVersion: aim.silogen.ai/v1alpha1
kind: List
items:
- apiVersion: aim.silogen.ai/v1alpha1
  kind: AIMService
  metadata: {name: listed, namespace: elsewhere}
  spec:
    model: {ref: a}
    routing: {enabled: true}
`

t.test('a message has the line and column of the invalid value, or of the field above a missing one', async (t) => {
  const { err, code } = await run(t, { files: { 'a.yaml': MISTAKES }, flags: ['-f', '$a.yaml'] })
  const places = [...err.matchAll(/^ {2}(a\.yaml:\d+:\d+): (\S+): /gm)].map(
    ([, place, field]) => `${field ?? ''} ${place ?? ''}`
  )
  t.same(places, [
    'metadata.labels[team] a.yaml:12:3',
    'spec.replicas a.yaml:21:13',
    'spec.env[1].name a.yaml:24:5',
    'spec.routing.pathTemplate a.yaml:32:19'
  ])
  t.equal(code, 1)
})

t.test('warns of a template with a field that no service can have', async (t) => {
  const files = { 'c.yaml': config(routed('/{.spec.replica}')) }
  const { err, code } = await run(t, { files, flags: ['-f', '$c.yaml'] })
  t.match(err, /no service has a field \.spec\.replica \(did you mean "replicas"\?\).*: cacheModel, env, /)
  t.equal(code, 0)
})

t.test('github annotations have the file and the place, escaped', async (t) => {
  const { out, err } = await run(t, { files: { 'a:b.yaml': MISTAKES }, flags: ['-f', '$a:b.yaml', '-o', 'github'] })
  t.match(
    out,
    /^::error file=.*a%3Ab\.yaml,line=12,col=3,title=AIMService ml-team\/no-label%3A AIM-PATH-FIELD-MISSING::metadata\.labels\[team\]: /m
  )
  t.match(
    out,
    /^::warning file=.*line=37,col=3,title=AIMService elsewhere\/listed%3A WARNING::runtime configuration "default" is missing/m
  )
  t.equal(err, '')
})

t.test('junit has a case per object and a failure per fault', async (t) => {
  const { out, code } = await run(t, { files: { 'a.yaml': MISTAKES }, flags: ['-f', '$a.yaml', '-o', 'junit'] })
  const report = new XMLParser({ ignoreAttributes: false }).parse(out) as {
    testsuites: { testsuite: JsonObject & { testcase: JsonObject[] } }
  }
  const { testsuite } = report.testsuites
  t.match(testsuite, { '@_tests': '5', '@_failures': '3' })
  const cases = testsuite.testcase.map((testcase) =>
    [testcase['@_name'], testcase['@_line'], [testcase['failure'] ?? []].flat().length])
  t.same(cases, [
    ['ml-team/default', '1', 0],
    ['ml-team/no-label', '7', 1],
    ['ml-team/wrong-type', '16', 2],
    ['ml-team/bad-template', '26', 1],
    ['elsewhere/listed', '37', 0]
  ])
  t.equal(code, 1)
})

t.test('sarif conforms to its schema, with a rule per code', async (t) => {
  const { out } = await run(t, { files: { 'a.yaml': MISTAKES }, flags: ['-f', '$a.yaml', '-o', 'sarif'] })
  const file = new URL(import.meta.resolve('@microsoft/jest-sarif')).pathname.replace(
    /lib\/.*/,
    'lib/schemas/sarif-2.1.0-rtm.5.json'
  )
  // draft 4, without keywords that later drafts changed
  const { $schema, id, ...schema } = JSON.parse(await readFile(file, 'utf8')) as JsonObject
  const validate = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false }).compile(schema)
  const log = JSON.parse(out) as { runs: [{ tool: { driver: { rules: JsonObject[] } }, results: JsonObject[] }] }
  t.ok(validate(log), JSON.stringify(validate.errors))
  t.notOk(validate({ ...log, version: '1' }), 'the schema rejects another version')
  const [{ tool, results }] = log.runs
  t.same(
    tool.driver.rules.map((rule) => rule['id']),
    ['AIM-PATH-FIELD-MISSING', 'AIM-TEMPLATE-SYNTAX', 'SCHEMA', 'WARNING']
  )
  t.match(results[0], {
    ruleId: 'AIM-PATH-FIELD-MISSING',
    level: 'error',
    locations: [
      { physicalLocation: { artifactLocation: { uri: 'a.yaml' }, region: { startLine: 12, startColumn: 3 } } }
    ]
  })
})

t.test('a report has the verdict of each object, and a summary', async (t) => {
  const { out, err } = await run(t, { files: { 'a.yaml': MISTAKES }, flags: ['-f', '$a.yaml', '-o', 'report'] })
  t.match(
    out,
    /^✓ AIMRuntimeConfig ml-team\/default admitted a\.yaml:1:1\n✗ AIMService ml-team\/no-label refused a\.yaml:7:1\n {4}a\.yaml:12:3 metadata\.labels\[team\]: /
  )
  t.match(
    out,
    /^! AIMService elsewhere\/listed admitted, with a warning a\.yaml:37:3\n {4}a\.yaml:37:3 warning: runtime configuration "default" is missing/m
  )
  t.match(out, /\n\n5 objects: 3 refused, 1 admitted with a warning, 1 admitted\n$/)
  t.notOk(out.includes('\u{1B}'), 'no colors')
  t.equal(err, '')
})

t.test('a report has colors on a terminal', async (t) => {
  const { out } = await run(t, {
    files: { 'a.yaml': MISTAKES },
    flags: ['-f', '$a.yaml', '-o', 'report'],
    colors: true
  })
  t.match(out, '\u{1B}[31m✗')
})

t.test('reads patterns, folders, and with -R their subfolders', async (t) => {
  const files = {
    a: {
      'one.yaml': service('one'),
      '.hidden.yaml': service('hidden'),
      deep: { 'two.yml': service('two'), 'note.txt': 'no' }
    },
    'b1.yaml': service('b1'),
    'b2.yaml': service('b2')
  }
  const names = async (...flags: string[]) =>
    lines((await run(t, { files, flags: [...flags, '-o', 'json'] })).out).map(({ name }) => name)
  t.same(await names('-f', '$a'), ['hidden', 'one'])
  t.same(await names('-R', '-f', '$a'), ['hidden', 'two', 'one'])
  t.same(await names('-f', '$b*.yaml'), ['b1', 'b2'])
})

t.test('does not review --configs, and prefers a reviewed configuration over one of --configs', async (t) => {
  const files = {
    'c.yaml': config(routed(BY_TEAM)),
    's.yaml': service('one', { labels: { team: 'nlp' } }),
    'd.yaml': config(routed('/other'))
  }
  const known = await run(t, { files, flags: ['-f', '$s.yaml', '--configs', '$c.yaml', '-o', 'json'] })
  t.match(lines(known.out), [
    { name: 'one', object: { spec: { resolvedRuntimeConfig: { routing: { path: '/ml-team/nlp/one' } } } } }
  ])
  const judged = await run(t, { files, flags: ['-f', '$s.yaml', '$d.yaml', '--configs', '$c.yaml', '-o', 'json'] })
  t.match(lines(judged.out)[0], { object: { spec: { resolvedRuntimeConfig: { routing: { path: '/other' } } } } })
})

t.test('a configuration of --configs that violates its schema is unusable', async (t) => {
  const { err, code } = await run(t, {
    files: { 'c.yaml': config({ routing: { enabled: 'yes' } }), 's.yaml': service('one') },
    flags: ['-f', '$s.yaml', '--configs', '$c.yaml']
  })
  t.match(err, /^error: c\.yaml:1:\d+: AIMRuntimeConfig ml-team\/default: spec\.routing\.enabled: Invalid value/)
  t.equal(code, 2)
})

const CONFIG = config(routed(BY_TEAM))
interface Update { readonly old: string, readonly now: string, readonly want: JsonObject }
const updates: Record<string, Update> = {
  'warns of a fault that the configuration caused': {
    old: service('one'),
    now: service('one', { spec: { replicas: 3 } }),
    want: { allowed: true, warnings: [/^existing problem, not caused by this change: metadata\.labels\[team\]: /] }
  },
  'refuses a fault that the change causes': {
    old: service('one', { labels: { team: 'nlp' } }),
    now: service('one', { labels: {} }),
    want: {
      allowed: false,
      status: {
        code: 422,
        message: /label "team" is not set on this service.*kubectl -n ml-team label aimsvc\/one --overwrite team=/
      }
    }
  },
  'warns of a path that moves': {
    old: service('one', { labels: { team: 'nlp' } }),
    now: service('one', { labels: { team: 'vision' } }),
    want: {
      allowed: true,
      warnings: ['the live path moves from /ml-team/nlp/one to /ml-team/vision/one; clients of the old path will fail']
    }
  },
  'admits an unchanged schema violation': {
    old: service('one', { labels: { team: 'nlp' }, spec: { replicas: -1 } }),
    now: service('one', { labels: { team: 'nlp' }, spec: { replicas: -1, cacheModel: true } }),
    want: { allowed: true }
  },
  'refuses a new schema violation': {
    old: service('one', { labels: { team: 'nlp' } }),
    now: service('one', { labels: { team: 'nlp' }, spec: { replicas: -1 } }),
    want: { allowed: false, status: { message: /spec\.replicas/ } }
  }
}
for (const [name, { old, now, want }] of Object.entries(updates)) {
  t.test(`with --old ${name}`, async (t) => {
    const files = { 'old.json': old, 'now.json': now, 'c.yaml': CONFIG }
    const { out } = await run(t, {
      files,
      flags: ['-f', '$now.json', '--old', '$old.json', '--configs', '$c.yaml', '-o', 'json']
    })
    t.match(lines(out), [want])
  })
}

t.test('warns of stored services that a changed configuration breaks', async (t) => {
  const files = { 'old.yaml': `${config(routed())}\n${service('one')}`, 'new.yaml': CONFIG }
  const { err, code } = await run(t, { files, flags: ['-f', '$new.yaml', '--old', '$old.yaml'] })
  t.equal(err, 'warning: AIMRuntimeConfig ml-team/default: 1 service (ml-team/one) would lose its path, ' +
    'because the template cannot be rendered\n')
  t.equal(code, 0)
})

t.test('--missing-config refuse refuses a service without a configuration', async (t) => {
  const { out } = await run(t, {
    files: { 'a.yaml': service('one') },
    flags: ['-f', '$a.yaml', '-o', 'json', '--missing-config', 'refuse']
  })
  t.match(lines(out), [
    { allowed: false, status: { message: /spec\.runtimeConfigName: runtime configuration "default" is missing/ } }
  ])
})

t.test('what-if predicts for each service whether it breaks, heals, moves or stays', async (t) => {
  const services = [
    service('breaks'),
    service('moves', { labels: { team: 'nlp' } }),
    service('stays', { spec: routed('/own') }),
    service('heals', { metadata: { labels: { team: 'x' } }, spec: { routing: { gatewayRef: null } } }),
    manifest({ namespace: 'other', name: 'unaffected' })
  ]
  const files = {
    'now.yaml': [config({ routing: { enabled: true, gatewayRef: { name: 'g' } } }), ...services].join('\n'),
    'new.yaml': config(routed(BY_TEAM))
  }
  const { out, code } = await run(t, { files, flags: ['-f', '$now.yaml', '--what-if', '$new.yaml', '-o', 'json'] })
  t.same(lines(out).map(({ name, effect, affected }) => [name, effect, affected]), [
    ['breaks', 'breaks', true],
    ['moves', 'moves', true],
    ['stays', 'stays', true],
    ['heals', 'moves', true],
    ['unaffected', 'stays', false]
  ])
  t.match(lines(out)[1], { before: { path: '/ml-team/moves' }, after: { path: '/ml-team/nlp/moves', problem: null } })
  t.equal(code, 1)
  const report = await run(t, { files, flags: ['-f', '$now.yaml', '--what-if', '$new.yaml'] })
  t.match(report.out, /^breaks {2}ml-team\/breaks {2}\/ml-team\/breaks → \(no path\) {2}.*label "team" is not set/)
  t.match(report.out, /\n5 services: 1 breaks, 2 moves, 2 stays\n$/)
})

t.test('what-if predicts that a moving service takes the path of another one', async (t) => {
  const services = [service('a', { labels: { team: 'x' } }), service('b', { labels: { team: 'x' } })]
  const files = {
    'now.yaml': [config(routed()), ...services].join('\n'),
    'new.yaml': config(routed("/{.metadata.labels['team']}"))
  }
  const { out } = await run(t, { files, flags: ['-f', '$now.yaml', '--what-if', '$new.yaml', '-o', 'json'] })
  t.match(lines(out), [
    { name: 'a', effect: 'moves' },
    { name: 'b', effect: 'breaks', after: { problem: /already held by AIMService ml-team\/a/ } }
  ])
})

t.test('what-if reports a configuration that would be refused', async (t) => {
  const files = { 'now.yaml': service('one'), 'new.yaml': config(routed('/{.metadata.name')) }
  const { out, err, code } = await run(t, { files, flags: ['-f', '$now.yaml', '--what-if', '$new.yaml'] })
  t.match(err, /^refused: AIMRuntimeConfig ml-team\/default\n {2}new\.yaml:1:\d+: spec\.routing\.pathTemplate: /)
  t.equal(out, '')
  t.equal(code, 1)
})

const misused: Record<string, { readonly flags: readonly string[], readonly want: RegExp }> = {
  'no flag': { flags: [], want: /^error: nothing to review: give files with -f/ },
  '--what-if with -o sarif': {
    flags: ['-f', '$a.yaml', '--what-if', '$c.yaml', '-o', 'sarif'],
    want: /^error: --what-if prints report or json, not sarif; change -o\n$/
  },
  '--what-if with a service': {
    flags: ['-f', '$a.yaml', '--what-if', '$a.yaml'],
    want: /^error: a\.yaml:1:1: AIMService ml-team\/one is not a configuration; give services with -f/
  },
  'a pattern that matches nothing': { flags: ['-f', '$none*.yaml'], want: /^error: none\*\.yaml: ENOENT/ }
}
for (const [name, { flags, want }] of Object.entries(misused)) {
  t.test(`${name} is unusable: exit 2`, async (t) => {
    const { err, code } = await run(t, { files: { 'a.yaml': service('one'), 'c.yaml': CONFIG }, flags })
    t.match(err, want)
    t.equal(code, 2)
  })
}

t.test('shows progress on a terminal, and clears it', async (t) => {
  const many = Array.from({ length: 600 }, (_, at) => service(`s${at}`, { spec: { routing: {} } })).join('\n')
  const files = { 'a.yaml': `${config()}\n${many}` }
  t.equal(
    (await run(t, { files, flags: ['-f', '$a.yaml'], showsProgress: true })).err,
    '\robjects reviewed: 250 of 601…\robjects reviewed: 500 of 601…\r\u{1B}[K'
  )
  t.equal((await run(t, { files, flags: ['-f', '$a.yaml'] })).err, '')
})

const OVERLAP = {
  'default.yaml': manifest({ kind: 'AIMClusterRuntimeConfig', name: 'default' }),
  'a.yaml': manifest({ namespace: 'victim', name: 'llama', spec: routed('/shared/llama') }),
  'b.yaml': manifest({ namespace: 'evil', name: 'below', spec: routed('/shared/llama/v1') })
}
const OF_OVERLAP = ['--configs', '$default.yaml', '-f', '$a.yaml', '$b.yaml', '-o', 'json']
const PATH_FLAGS: ReadonlyArray<readonly [readonly string[], RegExp, readonly boolean[]]> = [
  [[], /victim\/llama/, [true, false]],
  [['--cross-namespace-overlap', 'warn'], /victim\/llama/, [true, true]],
  [['--path-scope', 'namespace'], /is outside \/victim\//, [false, false]],
  [['--path-segments', 'dns', '--cross-namespace-overlap', 'warn'], /"path":"\/shared\/llama"/, [true, true]]
]
for (const [flags, expected, allowed] of PATH_FLAGS) {
  t.test(`judges paths as serve ${flags.join(' ')}`, async (t) => {
    const { out } = await run(t, { files: OVERLAP, flags: [...OF_OVERLAP, ...flags] })
    t.strictSame(lines(out).map((line) => line['allowed']), allowed)
    t.match(out, expected)
  })
}

t.test('with --missing-default builtin, a service without a configuration default has no warning', async (t) => {
  const files = { 'a.yaml': service('a'), 'b.yaml': service('b', { spec: { runtimeConfigName: 'team' } }) }
  for (const [flags, expected] of [[[], /"default" is missing/], [['--missing-default', 'builtin'], undefined]] as const) {
    const { out } = await run(t, { files, flags: ['-f', '$a.yaml', '$b.yaml', '-o', 'json', ...flags] })
    const [a, b] = lines(out)
    t.match(a?.['warnings'], expected === undefined ? [] : [expected])
    t.equal((a?.['warnings'] as unknown[]).length, expected === undefined ? 0 : 1)
    t.match(b?.['warnings'], [/"team" is missing/])
  }
})

t.test('a configuration is reviewed with built-in defaults as what services fall back to', async (t) => {
  const files = { 'default.yaml': config({ routing: { pathTemplate: '/x' } }), 'a.yaml': service('a') }
  const { out } = await run(t, {
    files, flags: ['--configs', '$a.yaml', '--what-if', '$default.yaml', '--missing-default', 'builtin', '-o', 'json']
  })
  t.match(out, /"effect":"stays"/)
})

t.test('--conflict-details hidden leaves out the holder of a path', async (t) => {
  const flags = [...OF_OVERLAP, '--conflict-details', 'hidden']
  const refused = lines((await run(t, { files: OVERLAP, flags })).out)[1] ?? {}
  t.match(refused, { allowed: false, name: 'below' })
  t.notMatch(JSON.stringify(refused), /victim/)
})
