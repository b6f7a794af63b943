import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { newProgram } from '../../../src/cli/program.ts'
import { fakeTerminal } from '../fakes/fake-terminal.ts'
import { endWithUs, run, type Ran } from '../processes.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')

/** One line of the log of a process. */
type LogEntry = Readonly<Record<string, unknown>> & { readonly msg: string }

/** A running process of the program; it ends with the test at the latest. */
export interface Program {
  readonly pid: number
  /** Lines on standard error so far. */
  readonly lines: readonly string[]
  /** The log entries among the lines. */
  readonly entries: readonly LogEntry[]
  /** Resolves with the first log entry with this message; rejects if the process ends without it. */
  logged (message: string): Promise<LogEntry>
  signal (signal: NodeJS.Signals): void
  /** Resolves with the exit code, or null if a signal ended the process. */
  stop (signal?: NodeJS.Signals): Promise<number | null>
}

/** No client of a test needs a drain period. */
const ENVIRONMENT = { AIM_ADMISSION_DRAIN_MIN: '0s', AIM_ADMISSION_DRAIN_QUIET: '0s' }

/** Starts `aim-admission` with these arguments. */
export function startProgram (args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn('node', ['src/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...ENVIRONMENT, ...env }
  })
  endWithUs(child)
  const gone = once(child, 'exit')
  const lines: string[] = []
  const entries: LogEntry[] = []
  const waiting = new Set<() => void>()
  createInterface(child.stderr).on('line', (line) => {
    lines.push(line)
    if (line.startsWith('{')) entries.push(JSON.parse(line) as LogEntry) // as pino writes it
    for (const look of waiting) look()
  })
  return {
    pid: child.pid ?? 0,
    lines,
    entries,
    logged: async (message) => await new Promise((resolve, reject) => {
      const look = (): void => {
        const entry = entries.find(({ msg }) => msg === message)
        if (entry === undefined) return
        waiting.delete(look)
        resolve(entry)
      }
      waiting.add(look)
      look()
      gone.then(() => { reject(new Error(`the program ended without "${message}": ${lines.join('\n')}`)) }, reject)
    }),
    signal: (signal) => { child.kill(signal) },
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await gone
      return child.exitCode
    }
  }
}

/** Runs a command in this process, and returns its output; rejects if it writes an error. */
export async function outputOf (args: readonly string[]): Promise<string> {
  const { terminal, shown } = fakeTerminal()
  const program = await newProgram(
    { name: 'aim-admission', version: '0.0.0-test', description: '', terminal },
    (name) => name === args[0]
  )
  await program.parseAsync(args, { from: 'user' })
  if (shown.err !== '') throw new Error(shown.err)
  return shown.out
}

/** Runs a command as a process until its end. */
export async function runProgram (args: readonly string[]): Promise<Ran> {
  return await run('node', ['src/main.ts', ...args], { cwd: ROOT })
}

/** Runs a line of shell with `aim-admission` as a command. */
export async function runPasted (line: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  return await run('bash', ['-c', `aim-admission() { node src/main.ts "$@"; }\n${line}`], { cwd: ROOT, env })
}

/** The program with every command loaded. */
export async function wholeProgram (name = 'aim-admission'): Promise<Command> {
  const { terminal } = fakeTerminal()
  return await newProgram({ name, version: '1.2.3', description: 'what it does', terminal }, () => true)
}
