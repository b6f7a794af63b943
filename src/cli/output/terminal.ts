import { randomUUID } from 'node:crypto'
import { styleText } from 'node:util'
import { errorMessage } from '../../platform/error-message.ts'
import { escapeHidden, oneLine } from '../../platform/printable.ts'

/** 0: success; 1: refused, or a problem was found; 2: unusable input. */
type ExitCode = 0 | 1 | 2

/** Input and output of a command, from `newTerminal`. */
export interface Terminal {
  /** The whole standard input. */
  readonly stdin: () => Promise<string>
  readonly write: (text: string) => void
  readonly writeError: (text: string) => void
  readonly setExitCode: (code: ExitCode) => void
  /** Whether output may have colors. */
  readonly colors: boolean
  /** Whether standard error is a terminal, which shows progress at once. */
  readonly showsProgress: boolean
  /** The size of the terminal in characters; undefined if standard output is not a terminal. */
  readonly screen: (() => Screen) | undefined
}

export interface Screen { readonly columns: number, readonly rows: number }

/** Precedes each control sequence of this program. Random, so that no text from outside holds it. */
const OWN = randomUUID()
const OWN_SEQUENCES = new RegExp(`${OWN}(\u001B\\[\\d*[mKAJ]|\r)`, 'g')

/**
 * The one way out of the program. Text of objects, files and servers may hold anything, so hidden characters are
 * escaped, except line breaks, tabs, and the control sequences of this program. Formats with rules of their own escape
 * before.
 */
export function newTerminal (given: Terminal): Terminal {
  return {
    ...given,
    write: (text) => { given.write(shownText(text)) },
    writeError: (text) => { given.writeError(shownText(text)) }
  }
}

function shownText (text: string): string {
  // a split puts the captured sequences at the odd places
  const parts = text.split(OWN_SEQUENCES)
  return parts.map((part, at) => at % 2 === 1 ? part : escapeHidden(part, undefined, '\n\t')).join('')
}

/** Ends the process at an error of its output: with 2, or, quietly, with 141 if the reader of a pipe is gone. */
export function exitAtClosedOutput (report: (error: Error) => void): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // 128 + SIGPIPE, as kubectl ends: Node.js ignores the signal
      if (error.code === 'EPIPE') process.exit(141)
      if (stream === process.stdout) report(error)
      process.exit(2)
    })
  }
}

/** Why the input of a command is unusable, a line each. */
class UnusableInput extends Error {
  readonly problems: readonly string[]

  constructor (problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

/** Throws what `reportErrors` reports, if there is a problem. */
export function refuseInput (problems: readonly string[]): void {
  if (problems.length > 0) throw new UnusableInput(problems)
}

/** Does the work of a command; an error means that its input is unusable. */
export async function reportErrors (terminal: Terminal, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    reportUnusable(error instanceof UnusableInput ? error.problems : [errorMessage(error)], terminal)
  }
}

/** Writes each problem on a line, and sets the exit code for unusable input. */
export function reportUnusable (problems: readonly string[], { writeError, setExitCode }: Terminal): void {
  writeError(problems.map((problem) => `error: ${oneLine(problem)}\n`).join(''))
  setExitCode(2)
}

/** Steps between two reports of progress. */
const PROGRESS_STEPS = 250

/** Progress on one line of a terminal, which is overwritten, and cleared at the end. */
export function newProgress (
  title: string, { showsProgress, writeError }: Pick<Terminal, 'showsProgress' | 'writeError'>
): { readonly step: (total?: number) => void, readonly end: () => void } {
  let done = 0
  let shown = false
  return {
    step: (total) => {
      done++
      if (!showsProgress || done % PROGRESS_STEPS !== 0) return
      shown = true
      writeError(`${OWN}\r${title} ${done}${total === undefined ? '' : ` of ${total}`}…`)
    },
    end: () => { if (shown) writeError(`${OWN}\r${OWN}\u{1B}[K`) }
  }
}

/** Lines that the next picture overwrites. What does not fit on the screen is left out, and counted. */
export function newLiveView (
  { write }: Pick<Terminal, 'write'>, screen: () => Screen
): { readonly show: (lines: readonly string[]) => void } {
  let shown = 0
  return {
    show: (lines) => {
      const { columns, rows } = screen()
      let [height, fit] = [0, 0]
      for (const line of lines) {
        const more = Math.max(1, Math.ceil(line.replaceAll(OWN_SEQUENCES, '').length / columns))
        if (height + more > rows - 2) break
        height += more
        fit++
      }
      const up = shown === 0 ? '' : `${OWN}\r${OWN}\u{1B}[${shown}A${OWN}\u{1B}[J`
      const rest = lines.length - fit
      const end = rest === 0 ? [] : [`… ${rest} more lines`]
      write(up + [...lines.slice(0, fit), ...end].map((line) => `${line}\n`).join(''))
      shown = height + end.length
    }
  }
}

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

export type Paint = (style: Style, text: string) => string

/** Styles text, or returns it unchanged without colors. */
export function painter (colors: boolean): Paint {
  if (!colors) return (_style, text) => text
  return (style, text) => {
    const [start = '', end = ''] = styleText(style, OWN, { validateStream: false }).split(OWN)
    return `${OWN}${start}${text}${OWN}${end}`
  }
}

type PaintCell = (text: string, at: { readonly row: number, readonly column: number }) => string

/** The rows with long cells on several rows, so that a table fits into the width; the last column gives way first. */
export function wrapped (texts: readonly (readonly string[])[], width: number): string[][] {
  const rows = texts.map((cells) => cells.map(oneLine))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const room = width - 2 * (widths.length - 1)
  for (let over = widths.reduce((sum, each) => sum + each, -room); over > 0; over--) {
    const last = widths.length - 1
    const longest = (widths[last] ?? 0) > MIN_LAST ? last : widths.indexOf(Math.max(...widths))
    widths[longest] = (widths[longest] ?? 0) - 1
  }
  return rows.flatMap((cells) => {
    const pieces = cells.map((cell, column) => piecesOf(cell, Math.max(1, widths[column] ?? 1)))
    const height = Math.max(...pieces.map(({ length }) => length))
    return Array.from({ length: height }, (_, row) => pieces.map((piece) => piece[row] ?? ''))
  })
}

const MIN_LAST = 24

/** Breaks a line behind a word or slash if it can. */
function piecesOf (line: string, width: number): string[] {
  const pieces = line.match(new RegExp(`.{1,${width}}(?: |$|(?<=/))|.{1,${width}}`, 'g')) ?? ['']
  return pieces.map((piece) => piece.trim())
}

/** Rows in aligned columns, by the widths of the unpainted cells; the last column is not padded. */
export function table (texts: readonly (readonly string[])[], paintCell: PaintCell = (text) => text): string {
  const rows = texts.map((cells) => cells.map(oneLine))
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, column) => { widths[column] = Math.max(widths[column] ?? 0, cell.length) })
  return rows.map((cells, row) => cells.map((cell, column) => {
    const padding = column === cells.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - cell.length)
    return paintCell(cell, { row, column }) + padding
  }).join('  ').trimEnd() + '\n').join('')
}
