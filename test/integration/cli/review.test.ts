import t, { type Test } from 'tap'
import type { ReviewRequest } from '../../../src/admission/request.ts'
import { ADMIT, type Verdict } from '../../../src/admission/verdict.ts'
import { KINDS, type Kind } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { reviewCommand } from '../../../src/cli/commands/review/command.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../webhooks/engine.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import type { Webhook } from '../../../webhooks/webhook.ts'

const config = (name: string) =>
  `apiVersion: ${API_VERSION}\nkind: AIMRuntimeConfig\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {}\n`
const service = (name: string, spec = 'model: {ref: a}') =>
  `apiVersion: ${API_VERSION}\nkind: AIMService\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {${spec}}\n`

/**
 * An engine without rules: it sets `templateRef` to the names of the known objects, warns of `cacheModel: true`, and
 * refuses services named `bad`. Adds each call to `calls`.
 */
function fakeAdmission (calls: string[]): AdmissionEngine {
  const known: string[] = []
  const nameOf = (object: JsonObject) => ownString(ownObject(object, 'metadata'), 'name')
  const sink = { upsert: (object: JsonObject) => { known.push(nameOf(object)) }, remove: () => {} }
  const webhook = (type: Webhook['type'], kind: Kind, decide: (request: ReviewRequest) => Verdict): Webhook => ({
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
      calls.push(`${type} ${request.operation} ${request.kind} ${request.namespace}/${request.name} ${seen}`.trim())
      return decide(request)
    }
  })
  const refuse = (field: string): Verdict => ({
    kind: 'deny',
    warnings: ['nearly'],
    faults: [{ code: 'AIM-PATH-CONFLICT', field, message: 'taken: choose another' }]
  })
  const mutate = (): Verdict => ({
    kind: 'patch',
    warnings: ['one thing'],
    operations: [{ op: 'add', path: '/spec/templateRef', value: known.length === 0 ? 'none' : known.join('.') }]
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

/** Runs the command. `$name` in the flags is a path of a given file. */
async function run (t: Test, { files, flags, stdin = '' }: Given) {
  const folder = t.testdir(files)
  const result = { out: '', err: '', code: -1, calls: [] as string[] }
  await reviewCommand({
    admission: () => fakeAdmission(result.calls),
    version: '1.2.3',
    colors: false,
    showsProgress: false,
    screen: undefined,
    stdin: async () => stdin,
    write: (text) => { result.out += text },
    writeError: (text) => { result.err += text.replaceAll(`${folder}/`, '') },
    setExitCode: (code) => { result.code = code }
  }).parseAsync(flags.map((flag) => flag.startsWith('$') ? `${folder}/${flag.slice(1)}` : flag), { from: 'user' })
  return result
}

/** The objects of `-o json`, one per line. */
const lines = (out: string) =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonObject)

t.test('reviews configurations before services, and mutates before it validates', async (t) => {
  const { calls, code } = await run(t, {
    files: { 'a.yaml': `${service('one')}---\n${config('c')}` },
    flags: ['-f', '$a.yaml']
  })
  t.same(calls, [
    'validating CREATE AIMRuntimeConfig ml-team/c',
    'mutating CREATE AIMService ml-team/one',
    'validating CREATE AIMService ml-team/one c'
  ])
  t.equal(code, 0)
})

t.test('later objects know admitted ones, not refused ones', async (t) => {
  const { calls } = await run(t, {
    files: { 'a.yaml': ['bad', 'good', 'last'].map((name) => service(name)).join('---\n') },
    flags: ['-f', '$a.yaml']
  })
  t.same(
    calls.filter((line) => line.startsWith('validating')).map((line) => line.replace(/.*ml-team\//, '')),
    ['bad none', 'good none', 'last good']
  )
})

t.test('reads files, folders and standard input in the given order', async (t) => {
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

t.test('json has one line per object, admitted or refused', async (t) => {
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

t.test('refuses a schema violation with every fault, and calls no webhook', async (t) => {
  const files = { 'a.yaml': service('one', 'replicas: two, oops: 1, model: {ref: a, image: b}') }
  const { out, calls, code } = await run(t, { files, flags: ['-f', '$a.yaml', '-o', 'json'] })
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
  t.same(calls, [])
  t.equal(code, 1)
})

t.test('refuses the second object of one name', async (t) => {
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

t.test('reviews each service with generateName without a name', async (t) => {
  const nameless = service('x').replace('name: x', 'generateName: x-')
  const { calls, err, code } = await run(t, {
    files: { 'a.yaml': `${nameless}---\n${nameless}` },
    flags: ['-f', '$a.yaml']
  })
  t.same(
    calls.filter((line) => line.startsWith('mutating')),
    ['mutating CREATE AIMService ml-team/', 'mutating CREATE AIMService ml-team/']
  )
  t.match(err, /^warning: AIMService ml-team\/x-\*: one thing$/m)
  t.equal(code, 0)
})

t.test('yaml has the admitted objects; warnings and refusals go to standard error, each warning once', async (t) => {
  const files = { 'a.yaml': `${service('one', 'cacheModel: yes, model: {ref: a}')}---\n${service('bad')}` }
  const { out, err, code } = await run(t, { files, flags: ['-f', '$a.yaml'] })
  t.equal(out, 'apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata:\n  name: one\n  namespace: ml-team\n' +
    'spec:\n  cacheModel: true\n  model:\n    ref: a\n  replicas: 1\n  templateRef: none\n')
  t.equal(err, 'warning: AIMService ml-team/one: one thing\nwarning: AIMService ml-team/one: another\n' +
    'warning: AIMService ml-team/bad: one thing\nwarning: AIMService ml-team/bad: nearly\n' +
    'refused: AIMService ml-team/bad\n  a.yaml:9:1: spec.routing.pathTemplate: taken: choose another\n')
  t.equal(code, 1)
})

t.test('patch has the operations of each changed object', async (t) => {
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

t.test('diff leads from the written object to the stored one', async (t) => {
  const { out } = await run(t, {
    files: { 'a.yaml': `${config('c')}---\n${service('one')}` },
    flags: ['-f', '$a.yaml', '-o', 'diff']
  })
  t.equal(out, '--- AIMService ml-team/one\tas written\n+++ AIMService ml-team/one\tas admitted\n@@ -5,4 +5,6 @@\n' +
    '   namespace: ml-team\n spec:\n   model:\n     ref: a\n+  replicas: 1\n+  templateRef: c\n')
})

const unusable: Record<string, Given & { readonly want: RegExp }> = {
  'a missing file': {
    files: {},
    flags: ['-f', '$none.yaml'],
    want: /^error: none\.yaml: ENOENT: no such file or directory, .*\n$/
  },
  'broken YAML': {
    files: { 'a.yaml': `${service('one')}oops: [\n` },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml:6:1: .+\n$/
  },
  'a document that is not an object': {
    files: { 'a.yaml': `${service('one')}---\nhello\n` },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml:6:1: not a Kubernetes object/
  },
  'several invalid files': {
    files: { 'a.yaml': 'a: [', 'b.yaml': 'b: [' },
    flags: ['-f', '$a.yaml', '$b.yaml'],
    want: /^error: a\.yaml:1:\d+: .+\nerror: b\.yaml:1:\d+: .+\n$/
  },
  'an invalid standard input': { files: {}, flags: ['-f', '-'], stdin: 'a: [', want: /^error: stdin:1:\d+: / },
  'a file without an object to review': {
    files: { 'a.yaml': 'apiVersion: v1\nkind: Secret\n' },
    flags: ['-f', '$a.yaml'],
    want: /^error: a\.yaml: no AIMService and no runtime configuration\n$/
  }
}
for (const [name, { want, ...given }] of Object.entries(unusable)) {
  t.test(`${name} is unusable input: exit 2, without a review`, async (t) => {
    const { out, err, code, calls } = await run(t, given)
    t.match(err, want)
    t.equal(code, 2)
    t.equal(out, '')
    t.same(calls, [])
  })
}
