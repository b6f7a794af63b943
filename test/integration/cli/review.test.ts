import t from 'tap'
import type { Test } from 'tap'
import type { ReviewRequest } from '../../../src/admission/request.ts'
import { ADMIT, type Verdict } from '../../../src/admission/verdict.ts'
import { KINDS } from '../../../src/api/kinds.ts'
import { reviewCommand } from '../../../src/cli/commands/review/command.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../webhooks/engine.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import type { Webhook } from '../../../webhooks/webhook.ts'

const config = (name: string) =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMRuntimeConfig\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {}\n`
const service = (name: string, spec = 'model: {ref: a}') =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {${spec}}\n`

/**
 * Webhooks that need no rules: a service learns by `templateRef` which objects are known when it is mutated, may say
 * `cacheModel: true` once, and is refused as `bad`. Whatever is asked is written down.
 */
function fakeAdmission (asked: string[]): AdmissionEngine {
  const known: string[] = []
  const nameOf = (object: JsonObject) => ownString(ownObject(object, 'metadata'), 'name')
  const sink = { upsert: (object: JsonObject) => { known.push(nameOf(object)) }, remove: () => {} }
  const webhook = (type: Webhook['type'], kind: typeof KINDS[number], decide: (request: ReviewRequest) => Verdict): Webhook => ({
    name: `${type}-${kind.plural}`,
    path: `/${type}/${kind.plural}`,
    type,
    resource: {
      group: 'aim.silogen.ai',
      version: 'v1alpha1',
      resource: kind.plural,
      kind: kind.kind,
      scope: kind.scope
    },
    registrations: [
      { name: `${kind.plural}.aim.silogen.ai`, operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    decide: (request) => {
      const seen = ownString(ownObject(request.object ?? {}, 'spec'), 'templateRef')
      asked.push(`${type} ${request.operation} ${request.kind} ${request.namespace}/${request.name} ${seen}`.trim())
      return decide(request)
    }
  })
  const refuse = (field: string): Verdict =>
    ({ kind: 'deny', warnings: ['nearly'], faults: [{ code: 'AIM-PATH-CONFLICT', field, message: 'taken: choose another' }] })
  const mutate = (): Verdict => ({
    kind: 'patch', warnings: ['one thing'], operations: [{ op: 'add', path: '/spec/templateRef', value: known.length === 0 ? 'none' : known.join('.') }]
  })
  const validate = ({ name, object = {} }: ReviewRequest): Verdict => {
    if (name === 'bad') return refuse('spec.routing.pathTemplate')
    return { kind: 'admit', warnings: ownObject(object, 'spec')['cacheModel'] === true ? ['one thing', 'another'] : [] }
  }
  const [configs, , services] = KINDS
  return {
    ...newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' }),
    webhooks: [
      webhook('validating', services, validate),
      webhook('mutating', services, mutate),
      webhook('validating', configs, () => ADMIT)
    ],
    sinks: { AIMService: sink, AIMRuntimeConfig: sink, AIMClusterRuntimeConfig: sink }
  }
}

type Files = NonNullable<Parameters<Test['testdir']>[0]>
interface Given { readonly files: Files, readonly flags: readonly string[], readonly stdin?: string }

/** Runs the command over files of these contents, named by `$name` in the flags. */
async function run (t: Test, { files, flags, stdin = '' }: Given) {
  const folder = t.testdir(files)
  const result = { out: '', err: '', code: -1, asked: [] as string[] }
  await reviewCommand({
    admission: () => fakeAdmission(result.asked),
    version: '1.2.3',
    colour: false,
    watched: false,
    stdin: async () => stdin,
    write: (text) => { result.out += text },
    writeError: (text) => { result.err += text.replaceAll(`${folder}/`, '') },
    setExitCode: (code) => { result.code = code }
  }).parseAsync(flags.map((flag) => flag.startsWith('$') ? `${folder}/${flag.slice(1)}` : flag), { from: 'user' })
  return result
}

/** One object a line of `-o json`. */
const lines = (out: string) =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonObject)

t.test('configurations count before services, wherever they stand, and a service is mutated before it is validated', async (t) => {
  const { asked, code } = await run(t, {
    files: { 'a.yaml': `${service('one')}---\n${config('c')}` },
    flags: ['-f', '$a.yaml']
  })
  t.same(asked, [
    'validating CREATE AIMRuntimeConfig ml-team/c',
    'mutating CREATE AIMService ml-team/one',
    'validating CREATE AIMService ml-team/one c'
  ])
  t.equal(code, 0)
})

t.test('what is admitted is known to those after it, what is refused is not', async (t) => {
  const { asked } = await run(t, {
    files: { 'a.yaml': ['bad', 'good', 'last'].map((name) => service(name)).join('---\n') },
    flags: ['-f', '$a.yaml']
  })
  t.same(
    asked.filter((line) => line.startsWith('validating')).map((line) => line.replace(/.*ml-team\//, '')),
    ['bad none', 'good none', 'last good']
  )
})

t.test('files, folders and the standard input are read in the order given', async (t) => {
  const { out } = await run(t, {
    files: {
      folder: {
        'b.yaml': service('three'),
        'a.json': '{"apiVersion": "v1", "kind": "List", "items": []}',
        'a.yaml': service('two')
      },
      'z.yaml': service('one')
    },
    flags: ['-f', '$z.yaml', '$folder', '-', '-o', 'json'],
    stdin: service('four')
  })
  t.same(lines(out).map(({ name }) => name), ['one', 'two', 'three', 'four'])
})

t.test('json is one line an object, admitted or refused', async (t) => {
  const files = { 'a.yaml': `${service('one')}---\n${service('bad')}---\n${config('c')}` }
  const { out, err, code } = await run(t, { files, flags: ['-f', '$a.yaml', '-o', 'json'] })
  const [one, bad, c] = lines(out)
  t.same(Object.keys(one ?? {}), ['kind', 'namespace', 'name', 'allowed', 'status', 'warnings', 'patch', 'object'])
  t.match(one, {
    kind: 'AIMService',
    namespace: 'ml-team',
    name: 'one',
    allowed: true,
    status: { code: 200, message: '' },
    warnings: ['one thing'],
    patch: [{ op: 'add', path: '/spec/templateRef', value: 'c' }],
    object: { spec: { model: { ref: 'a' }, replicas: 1, templateRef: 'c' } }
  })
  t.match(bad, {
    name: 'bad',
    allowed: false,
    status: {
      code: 422,
      message: 'AIMService.aim.silogen.ai "bad" is invalid: spec.routing.pathTemplate: taken: choose another'
    },
    warnings: ['one thing', 'nearly'],
    patch: [],
    object: { spec: { model: { ref: 'a' } } }
  })
  t.match(c, { kind: 'AIMRuntimeConfig', allowed: true, patch: [] })
  t.equal(err, '')
  t.equal(code, 1)
})

t.test('an object that its schema refuses is refused with every fault, and no webhook is asked', async (t) => {
  const files = { 'a.yaml': service('one', 'replicas: two, oops: 1, model: {ref: a, image: b}') }
  const { out, asked, code } = await run(t, { files, flags: ['-f', '$a.yaml', '-o', 'json'] })
  const [one] = lines(out)
  t.match(one, { allowed: false, status: { code: 422 }, patch: [] })
  const { message } = one?.['status'] as { message: string }
  t.match(message, /^AIMService\.aim\.silogen\.ai "one" is invalid: \[.*\]$/)
  const faults = [
    'spec.replicas: Invalid value: "string"',
    'spec.oops: unknown field',
    'spec.model: Invalid value: exactly one'
  ]
  for (const fault of faults) t.ok(message.includes(fault), fault)
  t.same(asked, [])
  t.equal(code, 1)
})

t.test('an object that comes twice is refused the second time', async (t) => {
  const { out, code } = await run(t, {
    files: { 'a.yaml': service('one'), 'b.yaml': service('one') },
    flags: ['-f', '$a.yaml', '$b.yaml', '-o', 'json']
  })
  t.match(lines(out), [
    { allowed: true },
    { allowed: false, status: { message: /metadata\.name: the files define an object of this kind and name already/ } }
  ])
  t.equal(code, 1)
})

t.test('a service without a name yet is asked for without one, as often as it comes', async (t) => {
  const nameless = service('x').replace('name: x', 'generateName: x-')
  const { asked, err, code } = await run(t, {
    files: { 'a.yaml': `${nameless}---\n${nameless}` },
    flags: ['-f', '$a.yaml']
  })
  t.same(
    asked.filter((line) => line.startsWith('mutating')),
    ['mutating CREATE AIMService ml-team/', 'mutating CREATE AIMService ml-team/']
  )
  t.match(err, /^warning: AIMService ml-team\/x-\*: one thing$/m)
  t.equal(code, 0)
})

t.test('yaml is the admitted objects, with warnings and refusals beside it, each warning once', async (t) => {
  const files = { 'a.yaml': `${service('one', 'cacheModel: yes, model: {ref: a}')}---\n${service('bad')}` }
  const { out, err, code } = await run(t, { files, flags: ['-f', '$a.yaml'] })
  t.equal(out, 'apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata:\n  name: one\n  namespace: ml-team\n' +
    'spec:\n  cacheModel: true\n  model:\n    ref: a\n  replicas: 1\n  templateRef: none\n')
  t.equal(err, 'warning: AIMService ml-team/one: one thing\nwarning: AIMService ml-team/one: another\n' +
    'warning: AIMService ml-team/bad: one thing\nwarning: AIMService ml-team/bad: nearly\n' +
    'refused: AIMService ml-team/bad\n  a.yaml:9:1: spec.routing.pathTemplate: taken: choose another\n')
  t.equal(code, 1)
})

t.test('patch is the operations of each object that is changed', async (t) => {
  const { out } = await run(t, {
    files: { 'a.yaml': `${config('c')}---\n${service('one')}` },
    flags: ['-f', '$a.yaml', '-o', 'patch']
  })
  t.equal(
    out,
    '# AIMService ml-team/one\n' +
      JSON.stringify([{ op: 'add', path: '/spec/templateRef', value: 'c' }], null, 2) +
      '\n'
  )
})

t.test('diff is from what was written to what would be stored', async (t) => {
  const { out } = await run(t, {
    files: { 'a.yaml': `${config('c')}---\n${service('one')}` },
    flags: ['-f', '$a.yaml', '-o', 'diff']
  })
  t.equal(out, '--- AIMService ml-team/one\tas written\n+++ AIMService ml-team/one\tas admitted\n@@ -5,4 +5,6 @@\n' +
    '   namespace: ml-team\n spec:\n   model:\n     ref: a\n+  replicas: 1\n+  templateRef: c\n')
})

const unusable: Record<string, Given & { readonly want: RegExp }> = {
  'a file that is not there': {
    files: {},
    flags: ['-f', '$none.yaml'],
    want: /^error: none\.yaml: ENOENT: no such file or directory, .*\n$/
  },
  'broken YAML': {
    files: { 'a.yaml': `${service('one')}oops: [\n` },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml:6:1: .+\n$/
  },
  'a document that is no object': {
    files: { 'a.yaml': `${service('one')}---\nhello\n` },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml:6:1: not a Kubernetes object/
  },
  'every problem of every file': {
    files: { 'a.yaml': 'a: [', 'b.yaml': 'b: [' },
    flags: ['-f', '$a.yaml', '$b.yaml'],
    want: /^error: a\.yaml:1:\d+: .+\nerror: b\.yaml:1:\d+: .+\n$/
  },
  'a broken standard input': { files: {}, flags: ['-f', '-'], stdin: 'a: [', want: /^error: stdin:1:\d+: / },
  'files without anything to review': {
    files: { 'a.yaml': 'apiVersion: v1\nkind: Secret\n' },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml: no AIMService and no runtime configuration in it\n$/
  }
}
for (const [name, { want, ...given }] of Object.entries(unusable)) {
  t.test(`${name} is unusable input: exit 2, and nothing is reviewed`, async (t) => {
    const { out, err, code, asked } = await run(t, given)
    t.match(err, want)
    t.equal(code, 2)
    t.equal(out, '')
    t.same(asked, [])
  })
}
