import { errorMessage } from '../platform/error-message.ts'
import type { ProcessLog } from '../telemetry/process-log.ts'

/** What ends a process: a signal, or an error that nobody caught. */
export type EndCause = 'SIGTERM' | 'SIGINT' | 'defect'

/** Ends what was started, politely. */
export type Stop = (cause: EndCause) => Promise<void>

/**
 * Longest way from the first signal to the end of the process, in milliseconds; beyond it the process ends as it
 * stands.
 */
const STOP_LIMIT_MS = 24_000

/** Errors that nobody caught are logged up to this many. */
const MAX_DEFECTS = 20

/**
 * Starts, waits until the process is told to end, stops, and exits: with 0 where a signal asked for it, with 1 after an
 * error that nobody caught or where the stop took too long. A second signal ends the process at once with 128 and the
 * signal's number. Rejects where the start does.
 */
export async function runUntilSignal (processLog: ProcessLog, start: () => Promise<Stop>): Promise<void> {
  const { log } = processLog
  const told = toldToEnd(processLog)
  // what has not begun to serve ends at once
  const stop = await Promise.race([start(), told.then(() => async () => undefined)])
  const cause = await told
  log.info({ cause }, 'stopping')
  const overdue = setTimeout(() => {
    log.error({ seconds: STOP_LIMIT_MS / 1_000 }, 'the stop takes too long, and is cut short')
    exit(processLog, 1)
  }, STOP_LIMIT_MS)
  try {
    await stop(cause)
    exit(processLog, cause === 'defect' ? 1 : 0)
  } catch (error) {
    log.error({ error: errorMessage(error) }, 'the stop failed')
    exit(processLog, 1)
  } finally {
    clearTimeout(overdue)
  }
}

/** The first cause to end. Whatever comes after a first signal ends the process at once. */
async function toldToEnd (processLog: ProcessLog): Promise<EndCause> {
  const { promise, resolve } = Promise.withResolvers<EndCause>()
  let signalled = false
  for (const [signal, code] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      if (signalled) {
        processLog.abandon()
        process.exit(code)
      }
      signalled = true
      resolve(signal as keyof typeof EXIT_CODES) // as the loop has it
    })
  }
  let defects = 0
  const onDefect = (error: unknown): void => {
    if (++defects <= MAX_DEFECTS) { processLog.log.error({ error: stackOf(error) }, 'an error was caught by nobody, and the program ends') }
    resolve('defect')
  }
  process.on('uncaughtException', onDefect)
  process.on('unhandledRejection', onDefect)
  return await promise
}

/** 128 and the number of the signal, as shells count. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 }

function exit ({ close }: ProcessLog, code: number): void {
  const end = (): void => { process.exit(code) }
  close().then(end, end)
}

const MAX_STACK = 4_096

function stackOf (error: unknown): string {
  return (error instanceof Error ? error.stack ?? error.message : String(error)).slice(0, MAX_STACK)
}
