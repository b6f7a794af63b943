/** All admitted, one refused, input unusable. */
export type ExitCode = 0 | 1 | 2

/** What a command of the command line reads and writes. */
export interface Terminal {
  /** All of the standard input. */
  readonly stdin: () => Promise<string>
  readonly write: (text: string) => void
  readonly writeError: (text: string) => void
  readonly setExitCode: (code: ExitCode) => void
  /** Whether what is written may have colours. */
  readonly colour: boolean
  /** Whether somebody sees what is written to the standard error at once, so that progress is worth a line. */
  readonly watched: boolean
}

/** Writes the reasons, a line each, and says that the input is unusable. */
export function unusable (problems: readonly string[], { writeError, setExitCode }: Terminal): void {
  writeError(problems.map((problem) => `error: ${problem}\n`).join(''))
  setExitCode(2)
}

/** How often progress is told of, in steps, and how many there must be at least. */
const STEPS = 250

/**
 * Tells how far a long work is, on a line that is written over and cleared at the end. Says nothing where nobody sees
 * it, or there is little to do.
 */
export function newProgress (what: string, { watched, writeError }: Pick<Terminal, 'watched' | 'writeError'>): { step: (total?: number) => void, end: () => void } {
  let done = 0
  let told = false
  return {
    step: (total) => {
      done += 1
      if (!watched || done % STEPS !== 0) return
      told = true
      writeError(`\r${what} ${done}${total === undefined ? '' : ` of ${total}`}…`)
    },
    end: () => { if (told) writeError('\r\u{1B}[K') }
  }
}
