import closeWithGrace from 'close-with-grace'
import { systemClock, within } from '../platform/clock.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { ProcessLog } from '../telemetry/process-log.ts'

type ShutdownCause = 'SIGTERM' | 'SIGINT' | 'defect'

export type Stop = (cause: ShutdownCause) => Promise<void>

/** Longest time from the first signal to the exit, in milliseconds. */
const SHUTDOWN_TIMEOUT_MS = 24_000
/** On top of it for the last log lines. */
const LOG_CLOSE_MS = 2_000
/** Defects that are logged. */
const MAX_DEFECTS = 20
const MAX_STACK = 4_096

/** Exit codes after a second signal: 128 and its number. */
const SECOND_SIGNAL_CODES: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 }

/** Defects have their own handler: close-with-grace exits on a second one, while reviews are still in flight. */
const SKIPPED: readonly closeWithGrace.AllEvents[] = [
  'uncaughtException', 'unhandledRejection', 'beforeExit', 'SIGHUP', 'SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT',
  'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGUSR2'
]

/**
 * Starts, then stops at a signal or a defect, and exits: 0 after a signal, 1 after a defect, a failure or a timeout.
 * A second signal exits at once. Rejects if the start does.
 */
export async function runUntilSignal (processLog: ProcessLog, start: () => Promise<Stop>): Promise<void> {
  const { log } = processLog
  let stop: Stop = async () => undefined // an incomplete start has nothing to drain
  let shuttingDown = false
  const shutDown = async (cause: ShutdownCause): Promise<void> => {
    shuttingDown = true
    log.info({ cause }, 'shutting down')
    try {
      const inTime = await within(systemClock, SHUTDOWN_TIMEOUT_MS, stop(cause))
      if (!inTime) throw new Error(`not complete after ${SHUTDOWN_TIMEOUT_MS / 1_000} s`)
    } catch (error) {
      log.error({ error: errorMessage(error) }, 'failed to shut down')
      process.exitCode = 1
    }
    await processLog.close()
    if (cause === 'defect' || process.exitCode === 1) process.exit(1)
  }
  const { close } = closeWithGrace({
    delay: SHUTDOWN_TIMEOUT_MS + LOG_CLOSE_MS,
    logger: false,
    skip: [...SKIPPED],
    onSecondSignal: (signal) => {
      processLog.abandon()
      process.exit(SECOND_SIGNAL_CODES[signal])
    }
  }, async ({ signal }) => { await shutDown(signal === 'SIGTERM' || signal === 'SIGINT' ? signal : 'defect') })
  let defects = 0
  const onDefect = (error: unknown): void => {
    defects++
    if (defects <= MAX_DEFECTS) log.error({ error: stackOf(error) }, 'uncaught exception, shutting down')
    if (!shuttingDown) close()
  }
  process.on('uncaughtException', onDefect)
  process.on('unhandledRejection', onDefect)
  stop = await start()
}

function stackOf (error: unknown): string {
  return (error instanceof Error ? error.stack ?? error.message : String(error)).slice(0, MAX_STACK)
}
