import type { Log } from '../../../src/core/ports.ts'

/** Discards everything. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }
