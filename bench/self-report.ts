/**
 * Loaded into a server before it starts (`node --expose-gc --import`): on SIGUSR2 it collects garbage, and writes what
 * it then holds into a file.
 */
import { renameSync, writeFileSync } from 'node:fs'

/** What a process knows of itself. */
export interface SelfReport {
  /** After a garbage collection, in MiB. */
  readonly heap: number
  /** Timers, sockets and all else that keeps an event loop alive. */
  readonly handles: number
  readonly connections: number
}

/** Named by whoever starts the server. */
const file = process.env['AIM_ADMISSION_SELF_REPORT']

process.on('SIGUSR2', () => {
  if (file === undefined) return
  globalThis.gc?.()
  const resources = process.getActiveResourcesInfo()
  const connections = resources.filter((resource) => resource === 'TCPSocketWrap').length
  const report: SelfReport = {
    heap: process.memoryUsage().heapUsed / 1_024 ** 2,
    handles: resources.length,
    connections
  }
  writeFileSync(`${file}.new`, JSON.stringify(report))
  renameSync(`${file}.new`, file) // whoever reads it finds it whole
})
