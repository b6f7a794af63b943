import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { XMLParser } from 'fast-xml-parser'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { FORMATTERS, type CheckResult } from '../../../src/cli/commands/doctor/format.ts'
import { reportUnusable } from '../../../src/cli/output/terminal.ts'
import { newProgram } from '../../../src/cli/program.ts'
import { DEFAULT_PATH_POLICY } from '../../../src/core/world.ts'
import { errorMessage } from '../../../src/platform/error-message.ts'
import { FORMATTERS as REVIEW_FORMATTERS, toGithub, toSarif } from '../../../src/cli/commands/review/format.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { escapeJson } from '../../../src/platform/printable.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { GATEWAY, routed } from '../../support/builders/manifests.ts'
import { aboutObject } from '../../support/builders/objects.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'

/**
 * ESC, BEL, CR, a C1 control, bidirectional controls, separators, characters without width or glyph, and a result of
 * its own.
 */
const HOSTILE = '\u001B]0;owned\u0007\u001B[32mgreen\u001B[8m\r' +
  '\u009B2J\u007F\u202Er\u2066i\u200F\u061C\u0085n\u2028l\u2029' +
  '\u200B\u200D\u2060\uFEFF\u00AD\u3164\uFE0F\u{E0041}\nspoofed: all is well\ttab'
/** The hidden characters that no output holds. Line breaks and tabs belong to the formats. */
const HIDDEN = /[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
// eslint-disable-next-line no-control-regex
const OWN_COLORS = /\u001B\[(?:1|2|22|31|32|33|36|39)m/g
const TEXT_FORMATS: ReadonlySet<string> = new Set(['report', 'patch', 'github', 'text', 'table'])

interface Ran extends Shown { readonly title: string, readonly colors: boolean }

async function run (args: readonly string[], colors = false): Promise<Ran> {
  const { terminal, shown } = fakeTerminal({ colors })
  const about = { name: 'aim-admission', version: '1.2.3', description: '', terminal }
  const program = await newProgram(about, (name) => name === args[0])
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    reportUnusable([errorMessage(error)], terminal) // as the program does
  }
  return { ...shown, title: args.filter((arg) => !arg.includes(HOSTILE)).join(' '), colors }
}

function hidesNothing (t: Test, { out, err, title, colors }: Ran): void {
  for (const text of [out, err]) {
    t.notMatch(text, /\u001B\[32mgreen/, `${title}: no color of an object`) // eslint-disable-line no-control-regex
    const found = HIDDEN.exec(colors ? text.replaceAll(OWN_COLORS, '') : text)
    const around = found?.input.slice(Math.max(0, found.index - 60), found.index + 9) ?? ''
    t.equal(found, null, `${title}: ${JSON.stringify(around)}`)
  }
}

/** In a text for people, no line is one that an object wrote. */
function spoofsNothing (t: Test, { out, err, title }: Ran): void {
  t.notMatch(out + err, /^\s*spoofed/m, `${title}: no line of an object`)
}

const object = (kind: string, metadata: object): JsonObject =>
  ({ apiVersion: 'aim.silogen.ai/v1alpha1', kind, metadata: { namespace: 'evil', ...metadata } })
const service = (name: string, spec: object, metadata: object = {}) =>
  ({ ...object('AIMService', { name, ...metadata }), spec: { model: { ref: 'phi' }, ...spec } })
const config = (name: string, spec: object) => ({ ...object('AIMRuntimeConfig', { name }), spec })

const ROUTED = {
  enabled: true, gatewayRef: GATEWAY, pathTemplate: '/{.metadata.annotations[\'note\']}', annotations: { note: HOSTILE }
}
const ANNOTATED = { annotations: { note: HOSTILE } }
const BY_LABEL = routed('/{.metadata.labels[\'team\']}')
/** Files, unlike a cluster, can hold hidden characters in every name. */
const OBJECTS: readonly JsonObject[] = [
  service('annotated', { routing: ROUTED, env: [{ name: 'NOTE', value: HOSTILE }] }, ANNOTATED),
  service(`name${HOSTILE}`, { routing: ROUTED }, { namespace: `namespace${HOSTILE}`, annotations: { [HOSTILE]: 'x' } }),
  service('label', { ...BY_LABEL, runtimeConfigName: HOSTILE }, { labels: { team: HOSTILE } }),
  service('unset', BY_LABEL, { labels: { [HOSTILE]: 'x' } }),
  service('template', routed(`/${HOSTILE}/{`)),
  service('unknown', { [HOSTILE]: HOSTILE }),
  service('generated', {}, { name: undefined, generateName: HOSTILE }),
  config(`config${HOSTILE}`, { serviceAccountName: HOSTILE, ...routed(`/${HOSTILE}`) }),
  config('good', { defaultStorageClassName: HOSTILE, ...routed('/x/{.metadata.name}') }),
  service('uses', { runtimeConfigName: 'good' }),
  service(`uses${HOSTILE}`, { runtimeConfigName: `config${HOSTILE}` })
]

const dir = t.testdir({})
let files = 0
async function file (objects: readonly object[]): Promise<string> {
  const name = path.join(dir, `${files++}${HOSTILE.replaceAll('/', '')}.yaml`)
  await writeFile(name, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  return name
}

/** Each object alone, because an unreadable one ends some commands; then all. */
const INPUTS = await Promise.all([...OBJECTS.map((one) => [one]), OBJECTS].map(file))
const changed = await file([config('good', routed('/other/{.metadata.name}'))])

const COMMANDS: ReadonlyArray<(input: string) => readonly string[]> = [
  ...Object.keys(REVIEW_FORMATTERS).map((format) => (input: string) => ['review', '-f', input, '-o', format]),
  ...['report', 'json'].map((format) => (input: string) =>
    ['review', '--configs', input, '--what-if', changed, '-o', format]),
  (input) => ['review', '--what-if', input],
  (input) => ['review', '-f', `${input}.missing`],
  ...['table', 'json'].map((format) => (input: string) => ['explain', '-f', input, '-o', format]),
  (input) => ['explain', `name${HOSTILE}`, '-f', input],
  (input) => ['explain', '--kubeconfig', input, '--context', HOSTILE],
  (input) => ['doctor', '--kubeconfig', input],
  (input) => ['status', `name${HOSTILE}`, '--kubeconfig', input],
  (input) => ['test', `${input}.missing`]
]

t.test('no command prints a hidden character of an object or a file name', async (t) => {
  for (const command of COMMANDS) {
    for (const input of INPUTS) {
      for (const colors of [false, true]) {
        const ran = await run(command(input), colors)
        hidesNothing(t, ran)
        if (command(input).some((arg) => TEXT_FORMATS.has(arg))) spoofsNothing(t, ran)
      }
    }
  }
})

t.test('test prints and writes no hidden character', async (t) => {
  const cases = path.join(dir, 'cases')
  for (const [at, one] of OBJECTS.entries()) {
    const folder = path.join(cases, `${at}${HOSTILE}`)
    await mkdir(folder, { recursive: true })
    await writeFile(path.join(folder, 's.yaml'), JSON.stringify(one))
    await writeFile(path.join(folder, 'expected.yaml'), JSON.stringify([{ object: HOSTILE, path: HOSTILE }]))
  }
  for (const flags of [[], ['-o', 'junit'], ['--update'], []]) {
    for (const colors of [false, true]) hidesNothing(t, await run(['test', cases, ...flags], colors))
  }
  t.equal((await run(['test', cases])).code, 0, 'the written results are read as they were')
})

t.test('doctor prints no hidden character of a server', async (t) => {
  const about = { check: 'definitions', subject: HOSTILE, what: HOSTILE } as const
  const results: CheckResult[] = [{ kind: 'note', ...about }, { kind: 'problem', ...about, fix: HOSTILE }]
  for (const format of ['text', 'json'] as const) {
    const { terminal, shown } = fakeTerminal()
    terminal.write(FORMATTERS[format](results))
    const ran = { ...shown, title: `doctor ${format}`, colors: false }
    hidesNothing(t, ran)
    if (format === 'text') spoofsNothing(t, ran)
  }
})

t.test('replay prints no hidden character of a record', async (t) => {
  const folder = path.join(dir, 'records')
  await mkdir(folder)
  const record = {
    format: 3,
    version: `0.0.1${HOSTILE}`,
    webhook: 'validate-aimservices',
    policy: { missingConfig: 'warn', missingBlock: 'admit' },
    pathPolicy: DEFAULT_PATH_POLICY,
    review: JSON.parse(aReview(aboutObject({ object: OBJECTS[1] ?? {} }))) as object,
    configs: [],
    services: [],
    paths: [],
    fields: {},
    response: { allowed: false, message: HOSTILE, warnings: [HOSTILE], causes: [{ field: HOSTILE }] }
  }
  await writeFile(path.join(folder, 'reviews-20260101T000000000Z-1-1.jsonl'), `${escapeJson(JSON.stringify(record))}\n`)
  for (const format of ['report', 'json']) {
    for (const colors of [false, true]) {
      const ran = await run(['review', '--replay', folder, '-o', format], colors)
      t.equal(ran.code, 1, ran.err)
      hidesNothing(t, ran)
      if (format === 'report') spoofsNothing(t, ran)
    }
  }
})

t.test('structured formats keep the text by their own rules', async (t) => {
  const [input = ''] = INPUTS.slice(-1)
  const records = (await run(['review', '-f', input, '-o', 'json'])).out.trimEnd().split('\n')
  t.equal(records.map((line) => JSON.parse(line) as JsonObject)[1]?.['name'], `name${HOSTILE}`, 'JSON')
  const alone = await file([service('plain', {}, ANNOTATED)])
  const documents = parseAllDocuments((await run(['review', '-f', alone])).out)
  t.strictSame(documents.flatMap(({ errors }) => errors), [])
  const [first] = documents.map((document) => document.toJS() as JsonObject)
  t.strictSame((first?.['metadata'] as JsonObject)['annotations'], { note: HOSTILE })
  const sarif = JSON.parse((await run(['review', '-f', input, '-o', 'sarif'])).out) as { runs: unknown[] }
  t.equal(sarif.runs.length, 1)
  t.match(new XMLParser().parse((await run(['review', '-f', input, '-o', 'junit'])).out), { testsuites: Object })
  const annotations = (await run(['review', '-f', input, '-o', 'github'])).out.trimEnd().split('\n')
  t.ok(annotations.every((line) => /^::(?:error|warning|notice) /.test(line)), 'no workflow command of an object')
})

t.test('half of a surrogate pair in the name of a file does not end a report', async (t) => {
  const diagnostic = { level: 'error', code: 'SCHEMA', field: 'a', object: 'o', message: 'm' } as const
  const files = ['a \ud800/b.yaml', '/a \udc00/b.yaml']
  const all = files.map((file) => ({ ...diagnostic, file, position: { line: 1, column: 1 } }))
  t.strictSame(
    [...toSarif(all, '0').matchAll(/"uri": "(.*)"/g)].map(([, uri]) => uri),
    ['a%20%EF%BF%BD/b.yaml', 'file:///a%20%EF%BF%BD/b.yaml']
  )
  t.match(toGithub(all), /file=a \\u\{d800\}\/b\.yaml/)
})

for (const format of ['text', 'json']) {
  t.test(`a log in ${format} holds no hidden character`, async (t) => {
    const module = import.meta.resolve('../../../src/telemetry/process-log.ts')
    const source = `import { openProcessLog } from ${JSON.stringify(module)}
      const text = ${JSON.stringify(HOSTILE)}
      const { log, close } = await openProcessLog('info', ${JSON.stringify(format)})
      log.info({ text, list: [text], inner: { [text]: text } }, text)
      await close()`
    const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source])
    t.match(stderr, 'owned')
    hidesNothing(t, { out: '', err: stderr, code: 0, title: format, colors: false })
  })
}

t.test('the test covers each folder of commands that prints objects', async (t) => {
  const commands = await readdir(new URL('../../../src/cli/commands/', import.meta.url))
  const silent = ['serve', 'manifests', 'completion'] // print no object of users
  t.strictSame(
    commands.filter((name) => !silent.includes(name)).sort(), ['doctor', 'explain', 'review', 'status', 'test']
  )
})
