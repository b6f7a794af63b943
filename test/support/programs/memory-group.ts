import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Processes that share a bounded memory, as those of a container do. */
export interface MemoryGroup {
  /** The file that takes the id of a process. */
  readonly processes: string
  /** To be called once all its processes have ended. */
  readonly remove: () => Promise<void>
}

interface Hierarchy { readonly root: string, readonly line: RegExp, readonly limit: string }

/** Source: cgroups(7); kernel documentation, "Memory Resource Controller" (version 1) and "Control Group v2". */
const HIERARCHIES: readonly Hierarchy[] = [
  { root: '/sys/fs/cgroup/memory', line: /^\d+:memory:(.*)$/m, limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', line: /^0::(.*)$/m, limit: 'memory.max' }
]

/** A new control group below that of this process; undefined where the machine lets it make none. */
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
