import { run, type Ran } from '../processes.ts'
import { ROOT, type Page } from './pages.ts'

/** Shell command of a page with its heading and, if the page shows it, its output. */
export interface Step { readonly under: string, readonly command: string, readonly printed: string | undefined }

/** Lines of all shell blocks without comments. A `text` block after a shell block is the output of its last line. */
export function stepsOf ({ blocks }: Page): Step[] {
  return blocks.flatMap(({ under, language, text }, index) => {
    if (language !== 'bash') return []
    const next = blocks[index + 1]
    const printed = next?.language === 'text' && next.under === under ? next.text : undefined
    const commands = text.split('\n').map((line) => line.replace(/(^|\s+)# .*$/, '').trim())
      .filter((line) => line !== '')
    return commands.map((command, at) =>
      ({ under, command, printed: at === commands.length - 1 ? printed : undefined }))
  })
}

/** Runs a line in the root of the checkout, without npm. */
export async function runStep (command: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const line = command.replaceAll('npm run -s aim-admission --', 'node src/main.ts')
  return await run('bash', ['-c', line], { cwd: ROOT, env })
}

/** The expected output if it is missing from the real one. Compares line prefixes, ignoring column widths. */
export function unprinted (expected: string, { stdout, stderr }: Ran): string | undefined {
  const [wanted, printed] = [linesOf(expected), linesOf(stdout + stderr)]
  const isThere = printed.some((_, start) => wanted.every((line, at) => printed[start + at]?.startsWith(line) === true))
  return isThere || expected === '' ? undefined : expected
}

function linesOf (printed: string): string[] {
  return printed.split('\n').map((line) => line.replace(/(?<=\S) {2,}/g, '  ').trimEnd())
}
