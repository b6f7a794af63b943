import { readFile, readlink, symlink } from 'node:fs/promises'
import { XMLParser } from 'fast-xml-parser'
import t, { type Test } from 'tap'
import { testCommand } from '../../../src/cli/commands/test/command.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'

async function run (dir: string, ...flags: string[]): Promise<Shown> {
  const { terminal, shown } = fakeTerminal()
  await testCommand(terminal).parseAsync([dir, ...flags], { from: 'user' })
  return { ...shown, out: shown.out.replaceAll(dir, 'DIR'), err: shown.err.replaceAll(dir, 'DIR') }
}

type Files = NonNullable<Parameters<Test['testdir']>[0]>
const config = manifest({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default', spec: routed(BY_TEAM) })
const labelled = manifest({ namespace: 'ml-team', name: 'one', labels: { team: 'nlp' } })
const bare = manifest({ namespace: 'ml-team', name: 'one' })
const admitted = (more = '') => `- object: AIMService ml-team/one\n  allowed: true\n${more}`

interface Case { readonly files: Files, readonly code: number, readonly out?: RegExp, readonly err?: RegExp }
const cases: Record<string, Case> = {
  'an expected result passes, whatever its comments, quotes and left out fields': {
    files: {
      a: {
        'c.yaml': config,
        's.yaml': labelled,
        'expected.yaml': `# by hand\n${admitted('  path: "/ml-team/nlp/one"\n')}`
      }
    },
    code: 0,
    out: /^✓ a\n\n1 case: 0 differ\n$/
  },
  'another path differs': {
    files: { a: { 'c.yaml': config, 's.yaml': labelled, 'expected.yaml': admitted('  path: /other\n') } },
    code: 1,
    out: /^✗ a\n[^]*\n {4}- {2}path: \/other\n {4}\+ {2}path: \/ml-team\/nlp\/one\n/
  },
  'an unexpected refusal differs': {
    files: { a: { 'c.yaml': config, 's.yaml': bare, 'expected.yaml': '[]\n' } }, code: 1, out: /\n {4}\+ {4}- code: AIM-PATH-FIELD-MISSING\n/
  },
  'a missing object differs': {
    files: { a: { 'c.yaml': config, 'expected.yaml': admitted() } }, code: 1, out: /\n {4}-- object: AIMService ml-team\/one\n/
  },
  'an unexpected warning differs': {
    files: { a: { 's.yaml': labelled, 'expected.yaml': admitted('  warnings: []\n') } }, code: 1, out: /\n {4}\+ {4}- 'runtime configuration|\n {4}\+ {4}- "?runtime configuration/
  },
  'an unknown field differs': {
    files: { a: { 'c.yaml': config, 's.yaml': labelled, 'expected.yaml': admitted('  paths: /x\n') } }, code: 1, out: /\n {4}- {2}paths: \/x\n/
  },
  'known*.yaml is not reviewed': {
    files: { a: { 'known.yaml': config, 's.yaml': labelled, 'expected.yaml': admitted('  path: /ml-team/nlp/one\n') } }, code: 0, out: /0 differ/
  },
  'an object of old*.yaml is changed': {
    files: { a: { 'known.yaml': config, 'old.yaml': labelled, 's.yaml': bare, 'expected.yaml': admitted() } },
    code: 1,
    out: /\n {4}\+ {2}allowed: false\n/
  },
  'finds cases in subfolders': {
    files: { a: { b: { 's.yaml': labelled, 'expected.yaml': admitted() } }, 's.yaml': labelled, 'expected.yaml': admitted() }, code: 0, out: /^✓ \.\n✓ a\/b\n/
  },
  'a case without expectations is unusable': {
    files: { a: { 's.yaml': labelled } },
    code: 2,
    err: /^error: DIR\/a\/expected\.yaml is missing; write it with --update\n$/
  },
  'a folder without a case is unusable': { files: { a: {} }, code: 2, err: /^error: DIR has no case/ },
  'an invalid expected.yaml is unusable': {
    files: { 's.yaml': labelled, 'expected.yaml': 'a: b\n' },
    code: 2,
    err: /^error: DIR\/expected\.yaml: not a list/
  },
  'an invalid manifest is unusable': {
    files: { 's.yaml': 'a: [', 'expected.yaml': '[]' },
    code: 2,
    err: /^error: DIR\/s\.yaml:1:\d+: /
  }
}
for (const [name, { files, code, out = /^$/, err = /^$/ }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const shown = await run(t.testdir(files))
    t.match(shown.out, out)
    t.match(shown.err, err)
    t.equal(shown.code, code)
  })
}

t.test('--update writes results that differ, which then pass', async (t) => {
  const dir = t.testdir({
    a: { 'c.yaml': config, 's.yaml': labelled },
    b: { 's.yaml': bare, 'expected.yaml': admitted('  path: /gone\n') }
  })
  t.same(await run(dir, '--update'), { out: 'written: a\nwritten: b\n', err: '', code: 0 })
  t.match(
    await readFile(`${dir}/a/expected.yaml`, 'utf8'),
    /^# Results of admission .*\n- object: AIMRuntimeConfig ml-team\/default\n {2}allowed: true\n {2}warnings: \[\]\n/
  )
  t.match(await run(dir), { code: 0, out: '2 cases: 0 differ' })
  t.same((await run(dir, '--update')).out, 'unchanged: a\nunchanged: b\n')
})

for (const target of ['outside.yaml', 'missing.yaml']) {
  t.test(`--update writes nothing if an expected.yaml is a symbolic link to ${target}`, async (t) => {
    const dir = t.testdir({ 'outside.yaml': '[]\n', cases: { a: { 's.yaml': labelled }, b: { 's.yaml': labelled } } })
    await symlink(`${dir}/${target}`, `${dir}/cases/b/expected.yaml`)
    t.match(await run(`${dir}/cases`, '--update'), { code: 2, out: '', err: /b\/expected\.yaml is a symbolic link/ })
    t.equal(await readFile(`${dir}/outside.yaml`, 'utf8'), '[]\n')
    t.equal(await readlink(`${dir}/cases/b/expected.yaml`), `${dir}/${target}`)
    await t.rejects(readFile(`${dir}/missing.yaml`), { code: 'ENOENT' })
    await t.rejects(readFile(`${dir}/cases/a/expected.yaml`), { code: 'ENOENT' })
  })
}

t.test('a folder that is a symbolic link is no case', async (t) => {
  const dir = t.testdir({ outside: { 's.yaml': labelled }, cases: { a: { 's.yaml': labelled } } })
  await symlink(`${dir}/outside`, `${dir}/cases/b`)
  t.equal((await run(`${dir}/cases`, '--update')).out, 'written: a\n')
  await t.rejects(readFile(`${dir}/outside/expected.yaml`), { code: 'ENOENT' })
})

t.test('path flags apply as in serve', async (t) => {
  const outside = manifest({ namespace: 'ml-team', name: 'one', spec: routed('/other/one') })
  const away = t.testdir({ a: { 'c.yaml': config, 's.yaml': outside, 'expected.yaml': admitted() } })
  t.match(await run(away), { code: 0 })
  t.match(await run(away, '--path-scope', 'namespace'), { code: 1, out: /\+ {2}allowed: false/ })
  t.match(await run(away, '--path-scope', 'all'), { code: 2, err: /--path-scope must be one of any, namespace/ })
})

t.test('junit has a case per folder, with the difference as its failure', async (t) => {
  const dir = t.testdir({
    a: { 's.yaml': labelled, 'expected.yaml': admitted() },
    b: { 's.yaml': labelled, 'expected.yaml': admitted('  path: /x\n') }
  })
  const { out, code } = await run(dir, '-o', 'junit')
  t.match(new XMLParser({ ignoreAttributes: false }).parse(out), {
    testsuites: {
      testsuite: {
        '@_tests': '2',
        '@_failures': '1',
        testcase: [{ '@_name': 'a' }, { '@_name': 'b', failure: { '#text': /- {2}path: \/x/ } }]
      }
    }
  })
  t.equal(code, 1)
})

t.test('the cases of deploy/examples-tests pass', async (t) => {
  t.match(await run('deploy/examples-tests'), { code: 0, out: '3 cases: 0 differ' })
})
