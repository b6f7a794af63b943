import type { Log } from '../../../src/core/ports.ts'

/** Tells nobody anything. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }
