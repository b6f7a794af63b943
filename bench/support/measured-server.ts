import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { end, endWithUs } from '../../test/support/processes.ts'

export const ROOT = path.resolve(import.meta.dirname, '../..')

/** A server under test: a separate process, on a separate core if there are two. */
export interface MeasuredServer {
  readonly name: string
  readonly pid: number
  /** Address for reviews. */
  readonly url: URL
  /** Plain port of probes and metrics; only the product has one. */
  readonly probeUrl: string | undefined
  /** CPU time of all threads in microseconds. Source: Linux, /proc/PID/task/TID/schedstat. */
  readonly cpu: () => number
  /** Resident memory in MiB. */
  readonly resident: () => number
  /** Open file descriptors. */
  readonly descriptors: () => number
  readonly stop: () => Promise<void>
}

export interface ServerCommand {
  readonly name: string
  /** Executable file (default node). */
  readonly file?: string
  /** Its arguments; for Node, flags and file. */
  readonly args: readonly string[]
  /** Pins the process to the core of the servers (default true). */
  readonly ownCore?: boolean
  /** Control group to start in: its `cgroup.procs` file. */
  readonly group?: string | undefined
}

/** Starts a server and waits until it logs its addresses as a line of JSON. */
export async function startServer (
  { name, file = 'node', args, ownCore = true, group }: ServerCommand
): Promise<MeasuredServer> {
  const command = group === undefined ? [file, ...args] as const : ['sh', '-c', IN_GROUP, group, file, ...args] as const
  const [first, ...rest] = ownCore ? onServerCore([...command]) : command
  const { NODE_OPTIONS: _ofTestRunner, ...env } = process.env // the test runner's hooks would cost CPU and memory
  const child = spawn(first, rest, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'], env })
  endWithUs(child)
  const { url, probeUrl } = await serving(child, name)
  const pid = child.pid ?? 0
  return {
    name,
    pid,
    url: new URL(url ?? 'https://nowhere.invalid'),
    probeUrl,
    cpu: () => cpuOf(pid),
    resident: () => residentOf(pid),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    stop: async () => { await end(child, 'SIGINT') } // the product drains without the delay that SIGTERM implies
  }
}

const IN_GROUP = 'echo $$ > "$0" && exec "$@"'

/** Moves this process, which makes the load, away from the core of the servers. */
export async function leaveServerCore (): Promise<void> {
  if (CORES < 2 || !HAS_TASKSET) return
  const child = spawn('taskset', ['-a', '-c', '-p', `1-${CORES - 1}`, String(process.pid)], { stdio: 'ignore' })
  await once(child, 'exit')
}

const CORES = availableParallelism()
const HAS_TASKSET = ['/usr/bin/taskset', '/bin/taskset'].some((file) => existsSync(file))

/** Servers and load run on separate cores. */
export const SEPARATE_CORES = CORES >= 2 && HAS_TASKSET

function onServerCore (command: [string, ...string[]]): [string, ...string[]] {
  return SEPARATE_CORES ? ['taskset', '-c', '0', ...command] : command
}

interface Addresses { readonly url?: string, readonly probeUrl?: string }

async function serving (child: ChildProcess, name: string): Promise<Addresses> {
  const { stderr } = child
  if (stderr === null) throw new Error('the standard error of the server must be a pipe')
  const lines: string[] = []
  return await new Promise((resolve, reject) => {
    createInterface(stderr).on('line', (line) => {
      if (lines.push(line) > 100) lines.shift()
      if (/"msg":"(serving|reconciling)"/.test(line)) resolve(JSON.parse(line) as Addresses)
    })
    child.once('exit', () => { reject(new Error(`${name} exited before it served: ${lines.join('\n')}`)) })
  })
}

function cpuOf (pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ', 1)[0])
  )
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1_000
}

/** CPU time of a process in seconds. Source: proc(5), /proc/PID/stat with 100 ticks per second. */
export function cpuSecondsOf (pid: number | string): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').slice(11, 13)
  return (Number(user) + Number(system)) / 100
}

function residentOf (pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
}
