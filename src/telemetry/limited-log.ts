import type { Log } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'

/**
 * Lines of one sentence and level that are written within one window, in milliseconds; the others are counted alone.
 */
const MAX_LINES = 20
const WINDOW_MS = 10_000

/**
 * A log for sentences that whoever reaches the port can have written again and again. The first line of a window tells
 * how many were left out before it.
 */
export function limitedLog (log: Log, clock: Clock): Log {
  const windows = new Map<string, { since: number, lines: number }>()
  const limited = (level: keyof Log) => (keys: object, sentence: string): void => {
    const kind = `${level} ${sentence}` // sentences are constants, so there are few
    const window = windows.get(kind)
    const now = clock.now()
    if (window !== undefined && now - window.since < WINDOW_MS) {
      if (++window.lines <= MAX_LINES) log[level](keys, sentence)
      return
    }
    windows.set(kind, { since: now, lines: 1 })
    const leftOut = (window?.lines ?? 0) - MAX_LINES
    log[level](leftOut > 0 ? { ...keys, leftOut } : keys, sentence)
  }
  return { info: limited('info'), warn: limited('warn'), error: limited('error') }
}
