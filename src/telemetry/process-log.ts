import { pino, type Logger } from 'pino'
import type { ServeSettings } from '../cli/flags/settings.ts'

/** The log of this process, on standard error. */
export interface ProcessLog {
  readonly log: Logger
  /** Writes what is left, for as long as a reader takes it, then closes the log. At most a second. */
  readonly close: () => Promise<void>
  /** Closes the log as it stands. */
  readonly abandon: () => void
}

/**
 * Most that waits for a reader, in bytes. Beyond it lines are left out: a log that nobody reads holds nothing up, and
 * fills no memory.
 */
const MAX_UNREAD = 1024 * 1024

/** Longest wait for a reader at the end, in milliseconds. */
const CLOSE_MS = 1_000

export function openProcessLog (level: ServeSettings['logLevel']): ProcessLog {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_UNREAD })
  const log = pino({ level }, destination)
  let leftOut = 0
  destination.on('drop', () => { leftOut++ })
  destination.on('drain', () => {
    if (leftOut > 0) log.warn({ lines: leftOut }, 'the log was not read fast enough, and lines were left out')
    leftOut = 0
  })
  // standard error itself stays open; but at the exit pino waits, for ever, for a reader of a log that is not
  // destroyed, and throws at whoever still logs
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
      log.info('stopped') // whatever waits goes out with it, and then the destination drains
      await promise
      clearTimeout(timer)
      abandon()
    },
    abandon
  }
}
