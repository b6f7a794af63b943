import { writeFile } from 'node:fs/promises'
import { createTwoFilesPatch } from 'diff'
import { errorMessage } from '../../../platform/error-message.ts'
import { toJunit } from '../../output/junit.ts'
import { painter, type Paint } from '../../output/paint.ts'
import { unusable, type Terminal } from '../../output/terminal.ts'
import { expectedText, runCases, type TestCase } from './test-case.ts'
import type { TestFlags } from './command.ts'

/** One case, and how it differs; undefined where it does not. */
interface Compared { readonly testCase: TestCase, readonly difference: string | undefined }

/** Runs the cases of a folder, and compares or, with --update, writes what is expected. */
export async function test (dir: string, flags: TestFlags, terminal: Terminal): Promise<void> {
  try {
    const cases = await runCases(dir, flags)
    const problems = cases.flatMap((one) => one.problems)
    if (flags.update !== true) {
      problems.push(
        ...cases
          .filter(({ expected }) => expected === undefined)
          .map(({ file }) => `${file} is missing; --update writes it`)
      )
    }
    if (cases.length === 0) problems.push(`${dir}: no case in it; a case is a folder with manifests`)
    if (problems.length > 0) unusable(problems, terminal)
    else if (flags.update === true) await update(cases, terminal)
    else compare(dir, cases.map(compared), { flags, terminal })
  } catch (error) {
    unusable([errorMessage(error)], terminal)
  }
}

const HEAD =
  '# What admission makes of the objects beside this file; "aim-admission test --update" writes it. A field that is left out is not compared.\n'

async function update (cases: readonly TestCase[], { write, setExitCode }: Terminal): Promise<void> {
  for (const { name, file, expected, full } of cases) {
    const isNew = expected === undefined || expectedText(expected) !== full
    if (isNew) await writeFile(file, HEAD + full)
    write(`${isNew ? 'written' : 'as it was'}: ${name}\n`)
  }
  setExitCode(0)
}

function compared (testCase: TestCase): Compared {
  const expected = expectedText(testCase.expected ?? '')
  const { actual } = testCase
  return {
    testCase,
    difference:
      expected === actual
        ? undefined
        : createTwoFilesPatch('expected', 'actual', expected, actual, '', '', { context: 3 })
          .split('\n')
          .slice(1)
          .join('\n')
  }
}

function compare (dir: string, results: readonly Compared[], { flags, terminal }: { readonly flags: TestFlags, readonly terminal: Terminal }): void {
  const paint = painter(terminal.colour)
  terminal.write(flags.output === 'junit' ? junit(dir, results) : report(results, paint))
  terminal.setExitCode(results.some(({ difference }) => difference !== undefined) ? 1 : 0)
}

function report (results: readonly Compared[], paint: Paint): string {
  const failed = results.filter(({ difference }) => difference !== undefined).length
  const lines = results.map(({ testCase: { name }, difference }) => difference === undefined
    ? `${paint('green', '✓')} ${name}\n`
    : `${paint('red', '✗')} ${paint('bold', name)}\n${difference.trimEnd().split('\n').map((line) => `    ${painted(line, paint)}\n`).join('')}`)
  return `${lines.join('')}\n${results.length} ${results.length === 1 ? 'case' : 'cases'}: ${failed} ${failed === 1 ? 'differs' : 'differ'}\n`
}

function painted (line: string, paint: Paint): string {
  return line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line
}

function junit (dir: string, results: readonly Compared[]): string {
  return toJunit(dir, results.map(({ testCase: { name, file }, difference }) => ({
    className: dir,
    name,
    file,
    failures:
      difference === undefined
        ? []
        : [
            {
              type: 'difference',
              summary: 'what admission makes of the case is not what is expected',
              text: difference
            }
          ]
  })))
}
