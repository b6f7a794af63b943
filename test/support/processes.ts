import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Ran { readonly code: number, readonly stdout: string, readonly stderr: string }

interface RunOptions { readonly cwd?: string, readonly env?: NodeJS.ProcessEnv, readonly stdin?: string | undefined }

/** Runs a program until its end, with further environment variables. */
export async function run (
  file: string, args: readonly string[], { cwd, env, stdin }: RunOptions = {}
): Promise<Ran> {
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env } })
  child.stdin.end(stdin)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode ?? 1, stdout, stderr }
}

/** Ends the child when this process exits for any reason. */
export function endWithUs (child: ChildProcess): void {
  const kill = (): void => { child.kill('SIGKILL') }
  process.once('exit', kill)
  child.once('exit', () => process.removeListener('exit', kill))
}

/** Ends a child process and waits for its exit. */
export async function end (child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** Has the server listen on a port of 127.0.0.1, by default a free one, and returns the port. */
export async function listening (server: Server, port = 0): Promise<number> {
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port // it listens on a port
}
