import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Processes with a common memory limit, as in a container. */
export interface MemoryGroup {
  /** Writing a process ID to this file adds the process. */
  readonly processes: string
  /** Call it after the end of all processes. */
  readonly remove: () => Promise<void>
}

interface Hierarchy { readonly root: string, readonly line: RegExp, readonly limit: string }

/** Source: cgroups(7); kernel documentation, "Memory Resource Controller" (version 1) and "Control Group v2". */
const HIERARCHIES: readonly Hierarchy[] = [
  { root: '/sys/fs/cgroup/memory', line: /^\d+:memory:(.*)$/m, limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', line: /^0::(.*)$/m, limit: 'memory.max' }
]

/** A new control group below that of this process; undefined if the machine does not permit it. */
export async function memoryGroup (bytes: number): Promise<MemoryGroup | undefined> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '')
  for (const { root, line, limit } of HIERARCHIES) {
    const [, place] = line.exec(own) ?? []
    const folder = path.join(root, place ?? '', `aim-admission-${process.pid}`)
    const remove = async (): Promise<void> => { await rmdir(folder) }
    try {
      await mkdir(folder)
    } catch {
      continue
    }
    try {
      await writeFile(path.join(folder, limit), String(bytes), { flag: 'r+' })
      return { processes: path.join(folder, 'cgroup.procs'), remove }
    } catch {
      await remove()
    }
  }
  return undefined
}
