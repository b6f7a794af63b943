import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** Flags for one page without background requests. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'
] as const

/** The Chromium of CHROMIUM_PATH or the PATH, else of the Debian package, which it installs; rejects without one. */
export async function chromium (): Promise<string> {
  const found = process.env['CHROMIUM_PATH'] ?? await onPath()
  if (found !== undefined) return found
  if (process.getuid?.() === 0 && await exists('/usr/bin/apt-get')) {
    process.stderr.write('installing chromium, once, for the tests of the playground\n')
    await run('apt-get', ['update', '-qq'])
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'])
  }
  const installed = await onPath()
  if (installed !== undefined) return installed
  throw new Error('the tests of the playground need Chromium: install it, or name its binary in CHROMIUM_PATH')
}

const run = promisify(execFile)

async function onPath (): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name)
      if (await exists(file)) return file
    }
  }
  return undefined
}

async function exists (file: string): Promise<boolean> {
  return await access(file).then(() => true, () => false)
}
