import { readFile } from 'node:fs/promises'
import { XMLParser } from 'fast-xml-parser'
import t from 'tap'
import type { Test } from 'tap'
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

const cases: Record<string, { readonly files: Files, readonly code: number, readonly out?: RegExp, readonly err?: RegExp }> = {
  'a case that comes out as expected passes; comments, quotes and what is left out make no difference': {
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
  'a refusal that nothing expects differs': {
    files: { a: { 'c.yaml': config, 's.yaml': bare, 'expected.yaml': '[]\n' } }, code: 1, out: /\n {4}\+ {4}- code: AIM-PATH-FIELD-MISSING\n/
  },
  'an object that does not come differs': {
    files: { a: { 'c.yaml': config, 'expected.yaml': admitted() } }, code: 1, out: /\n {4}-- object: AIMService ml-team\/one\n/
  },
  'a warning that is not expected differs': {
    files: { a: { 's.yaml': labelled, 'expected.yaml': admitted('  warnings: []\n') } }, code: 1, out: /\n {4}\+ {4}- 'runtime configuration|\n {4}\+ {4}- "?runtime configuration/
  },
  'an expectation of a field that there is none of differs': {
    files: { a: { 'c.yaml': config, 's.yaml': labelled, 'expected.yaml': admitted('  paths: /x\n') } }, code: 1, out: /\n {4}- {2}paths: \/x\n/
  },
  'what is known is not judged': {
    files: { a: { 'known.yaml': config, 's.yaml': labelled, 'expected.yaml': admitted('  path: /ml-team/nlp/one\n') } }, code: 0, out: /0 differ/
  },
  'what is stored makes a change of it': {
    files: { a: { 'known.yaml': config, 'old.yaml': labelled, 's.yaml': bare, 'expected.yaml': admitted() } },
    code: 1,
    out: /\n {4}\+ {2}allowed: false\n/
  },
  'cases may lie deep': {
    files: { a: { b: { 's.yaml': labelled, 'expected.yaml': admitted() } }, 's.yaml': labelled, 'expected.yaml': admitted() }, code: 0, out: /^✓ \.\n✓ a\/b\n/
  },
  'a case without expectations is unusable': {
    files: { a: { 's.yaml': labelled } },
    code: 2,
    err: /^error: DIR\/a\/expected\.yaml is missing; --update writes it\n$/
  },
  'a folder without a case is unusable': { files: { a: {} }, code: 2, err: /^error: DIR: no case in it/ },
  'broken expectations are unusable': {
    files: { 's.yaml': labelled, 'expected.yaml': 'a: b\n' },
    code: 2,
    err: /^error: DIR\/expected\.yaml: not a list/
  },
  'broken manifests are unusable': {
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

t.test('--update writes what comes out, which then passes, and leaves what is as expected', async (t) => {
  const dir = t.testdir({
    a: { 'c.yaml': config, 's.yaml': labelled },
    b: { 's.yaml': bare, 'expected.yaml': admitted('  path: /gone\n') }
  })
  t.same(await run(dir, '--update'), { out: 'written: a\nwritten: b\n', err: '', code: 0 })
  t.match(
    await readFile(`${dir}/a/expected.yaml`, 'utf8'),
    /^# What admission makes .*\n- object: AIMRuntimeConfig ml-team\/default\n {2}allowed: true\n {2}warnings: \[\]\n/
  )
  t.match(await run(dir), { code: 0, out: '2 cases: 0 differ' })
  t.same((await run(dir, '--update')).out, 'as it was: a\nas it was: b\n')
})

t.test('junit has a case for each, and the difference as its failure', async (t) => {
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

t.test('the cases of deploy/examples-tests come out as expected', async (t) => {
  t.match(await run('deploy/examples-tests'), { code: 0, out: '3 cases: 0 differ' })
})
