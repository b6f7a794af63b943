import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlPlaneAddress } from './control-plane.ts'

/** What the process of the pool sends to a client. */
export type PoolMessage = ControlPlaneAddress | { readonly error: string }

/**
 * Leases an API server of this test run until `release`, or the end of this process. The first lease starts the
 * process of the pool, which ends with `tap`.
 */
export async function leaseControlPlane (): Promise<{ readonly address: ControlPlaneAddress, release: () => void }> {
  const socket = await connectToPool()
  const [line] = await once(createInterface(socket), 'line') as [string] // node:readline
  const message = JSON.parse(line) as PoolMessage // as the process of the pool writes it
  if ('error' in message) throw new Error(message.error)
  return { address: message, release: () => { socket.destroy() } }
}

/** Each test file is a child of `tap`. */
async function connectToPool (): Promise<Socket> {
  const folder = path.join(tmpdir(), `aim-admission-pool-${process.ppid}`)
  const socketFile = path.join(folder, 'socket')
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const socket = connect(socketFile)
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      // the folder is new for one file only; it stays if a process of the same ID was killed
      const isFirst = mkdirSync(folder, { recursive: true }) !== undefined
      if (isFirst || attempt === ATTEMPTS / 2) startPool(folder, socketFile)
      await delay(RETRY_MS)
    }
  }
  throw new Error(`no pool of API servers listens on ${socketFile}; see the file log beside it`)
}

const RETRY_MS = 50
const ATTEMPTS = 600

function startPool (folder: string, socketFile: string): void {
  const log = openSync(path.join(folder, 'log'), 'a')
  const args = [path.join(import.meta.dirname, 'pool-process.ts'), socketFile, String(process.ppid)]
  const env = { ...process.env, AIM_ADMISSION_API_GROUP: undefined } // of the test file that happens to start it
  spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log], env }).unref()
}
