import { constants } from 'node:fs'
import { lstat, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { createTwoFilesPatch } from 'diff'
import { counted, oneLine } from '../../../platform/printable.ts'
import { flag, missingConfigFlag, newCommand } from '../../flags/read-flags.ts'
import { pathFlags } from '../../flags/settings.ts'
import { toJunit } from '../../output/formats.ts'
import { painter, refuseInput, reportErrors, type Paint, type Terminal } from '../../output/terminal.ts'
import type { EngineFlags } from '../../read-objects.ts'
import { runCases, type TestCase } from './test-case.ts'

/** As given. */
type TestFlags = EngineFlags & { readonly update?: true, readonly output: 'report' | 'junit' }

/** `aim-admission test DIR`: compares the verdicts for a folder of objects with the expected ones. */
export function testCommand (terminal: Terminal): Command {
  return newCommand('test',
    'review the cases of a folder; exit 1 if one differs from its expected.yaml, 2 on unusable input', [
      flag('--update', 'write the results as expected.yaml if they differ'),
      flag('-o, --output <format>', 'output format', 'report').choices(['report', 'junit']),
      missingConfigFlag(),
      ...pathFlags()
    ])
    .argument('<dir>', 'cases: folders of manifests with an expected.yaml; known*.yaml and old*.yaml exist already')
    .action(async (dir: string, flags: TestFlags) => {
      await reportErrors(terminal, async () => { await test(dir, flags, terminal) })
    })
}

/** Runs the cases of a folder, and compares or, with --update, writes the expected results. */
async function test (dir: string, flags: TestFlags, terminal: Terminal): Promise<void> {
  const cases = await runCases(dir, flags)
  const missing = cases.filter(({ expected }) => expected === undefined)
  refuseInput([
    ...cases.flatMap((one) => one.problems),
    ...(flags.update === true
      ? await linksIn(cases)
      : missing.map(({ file }) => `${file} is missing; write it with --update`)),
    ...(cases.length === 0 ? [`${dir} has no case; a case is a folder with manifests`] : [])
  ])
  if (flags.update === true) await update(cases, terminal)
  else {
    const results = cases.map((one) => ({ ...one, difference: differenceIn(one) }))
    terminal.write(flags.output === 'junit' ? junit(dir, results) : report(results, painter(terminal.colors)))
    terminal.setExitCode(results.some(({ difference }) => difference !== undefined) ? 1 : 0)
  }
}

const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants
/** Also fails if the file has become a symbolic link since the check. */
const NEW_CONTENT = O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY

const HEAD = '# Results of admission for the objects in this folder, written by "aim-admission test --update". ' +
  'Fields that are left out are not compared.\n'

/** What --update must not write: a link leads out of the folder. A folder that is a link is no case. */
async function linksIn (cases: readonly TestCase[]): Promise<string[]> {
  const links = await Promise.all(cases.map(async ({ file }) =>
    (await lstat(file).catch(() => undefined))?.isSymbolicLink()))
  return cases.filter((_case, at) => links[at] === true).map(({ file }) =>
    `${file} is a symbolic link, which --update does not follow; replace it with a file`)
}

async function update (cases: readonly TestCase[], { write, setExitCode }: Terminal): Promise<void> {
  for (const { name, file, expected, full } of cases) {
    const differs = expected !== full
    if (differs) await writeFile(file, HEAD + full, { flag: NEW_CONTENT })
    write(`${differs ? 'written' : 'unchanged'}: ${oneLine(name)}\n`)
  }
  setExitCode(0)
}

/** A unified diff; undefined without a difference. */
function differenceIn ({ expected = '', actual }: TestCase): string | undefined {
  if (expected === actual) return undefined
  const patch = createTwoFilesPatch('expected', 'actual', expected, actual, '', '', { context: 3 })
  return patch.split('\n').slice(1).join('\n')
}

type Compared = TestCase & { readonly difference: string | undefined }

function report (results: readonly Compared[], paint: Paint): string {
  const failed = results.filter(({ difference }) => difference !== undefined).length
  const lines = results.map(({ name, difference }) => {
    if (difference === undefined) return `${paint('green', '✓')} ${oneLine(name)}\n`
    const diff = difference.trimEnd().split('\n').map((line) => `    ${painted(line, paint)}\n`).join('')
    return `${paint('red', '✗')} ${paint('bold', oneLine(name))}\n${diff}`
  })
  return `${lines.join('')}\n${counted(results.length, 'case')}: ${failed} ${failed === 1 ? 'differs' : 'differ'}\n`
}

function painted (line: string, paint: Paint): string {
  return line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line
}

function junit (dir: string, results: readonly Compared[]): string {
  return toJunit(dir, results.map(({ name, file, difference }) => ({
    className: dir,
    name,
    file,
    failures: difference === undefined
      ? []
      : [{ type: 'difference', summary: 'the results differ from expected.yaml', text: difference }]
  })))
}
