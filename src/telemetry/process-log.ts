import { pino, type LevelWithSilent, type Logger } from 'pino'
import { isJsonObject } from '../platform/json.ts'
import { escapeHidden, escapeJson } from '../platform/printable.ts'

/** The log of this process, on standard error. */
export interface ProcessLog {
  readonly log: Logger
  /** Flushes the log for at most a second, then closes it. */
  readonly close: () => Promise<void>
  /** Closes the log without a flush. */
  readonly abandon: () => void
}

/** Buffered bytes at most. Further lines are dropped: an unread log neither blocks the process nor fills its memory. */
const MAX_BUFFERED = 1024 * 1024

const CLOSE_MS = 1_000

/** `format`: by default text on a terminal, else JSON. */
export async function openProcessLog (
  level: LevelWithSilent, format: 'json' | 'text' = process.stderr.isTTY ? 'text' : 'json'
): Promise<ProcessLog> {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_BUFFERED })
  const toLine = format === 'text' ? await textLines() : escapeJson // lines of JSON that hide nothing
  const log = pino({ level }, { write: (line) => { destination.write(toLine(line)) } })
  let dropped = 0
  destination.on('drop', () => { dropped++ })
  destination.on('drain', () => {
    if (dropped > 0) log.warn({ lines: dropped }, 'dropped log lines: standard error was not read fast enough')
    dropped = 0
  })
  // closes the log, not standard error; otherwise pino waits at exit until a reader drains it, and throws on each line
  const abandon = (): void => {
    log.level = 'silent'
    destination.destroy()
  }
  return {
    log,
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<unknown>()
      destination.once('drain', resolve)
      const timer = setTimeout(resolve, CLOSE_MS)
      log.info('stopped') // the destination drains after this line
      await promise
      clearTimeout(timer)
      abandon()
    },
    abandon
  }
}

/** One line per event: time, level, message, and the other keys as JSON. */
async function textLines (): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  const toText = prettyFactory({
    colorize: process.stderr.isTTY && process.stderr.hasColors(),
    singleLine: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l'
  })
  return (line) => toText(JSON.parse(line, printableEntry))
}

/** Line breaks remain: a value is printed as JSON, and a message is constant. */
function printableEntry (_key: string, value: unknown): unknown {
  if (typeof value === 'string') return escapeHidden(value, undefined, '\n\t')
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [escapeHidden(key), inner]))
}
