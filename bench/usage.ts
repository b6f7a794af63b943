/** Loaded into a program before it starts (`node --import`): as it exits, it writes what it took into a file. */
import { writeFileSync } from 'node:fs'

export interface Usage {
  /** Of all threads, in milliseconds. */
  readonly cpu: number
  /** Since the process began, in milliseconds. */
  readonly wall: number
  /** Most that was resident, in MiB. */
  readonly memory: number
}

process.on('exit', () => {
  const file = process.env['AIM_ADMISSION_USAGE']
  if (file === undefined) return
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const usage: Usage = { cpu: (userCPUTime + systemCPUTime) / 1_000, wall: performance.now(), memory: maxRSS / 1_024 }
  writeFileSync(file, JSON.stringify(usage))
})
