/**
 * Preload of a measured process (`node --import`), which reports about itself into files named by the environment:
 * its state on SIGUSR2 (needs `--expose-gc`), and its resource usage at exit.
 */
import { renameSync, writeFileSync } from 'node:fs'

const MIB = 1_024 ** 2

export interface SelfReport {
  /** Used heap after a garbage collection, in MiB. */
  readonly heap: number
  /** Active resources of the event loop: timers, sockets, and others. */
  readonly handles: number
  readonly connections: number
}

export interface Usage {
  /** CPU time of all threads, in milliseconds. */
  readonly cpu: number
  /** Time since the process started, in milliseconds. */
  readonly wall: number
  /** Peak resident memory, in MiB. */
  readonly memory: number
}

const { AIM_ADMISSION_SELF_REPORT: reportFile, AIM_ADMISSION_USAGE: usageFile } = process.env

if (reportFile !== undefined) {
  process.on('SIGUSR2', () => {
    globalThis.gc?.()
    const resources = process.getActiveResourcesInfo()
    const report: SelfReport = {
      heap: process.memoryUsage().heapUsed / MIB,
      handles: resources.length,
      connections: resources.filter((resource) => resource === 'TCPSocketWrap').length
    }
    writeFileSync(`${reportFile}.new`, JSON.stringify(report))
    renameSync(`${reportFile}.new`, reportFile) // a reader never sees half a report
  })
}

if (usageFile !== undefined) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    const usage: Usage = {
      cpu: (userCPUTime + systemCPUTime) / 1_000,
      wall: performance.now(),
      memory: maxRSS / 1_024
    }
    writeFileSync(usageFile, JSON.stringify(usage))
  })
}
