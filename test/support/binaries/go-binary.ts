import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A program of a Go module below `tools/go`. */
export interface GoProgram {
  readonly name: string
  /** The package for `go build`. */
  readonly source: string
  /** Absolute folder of the module. */
  readonly module: string
  /** Source files of the program in that folder, other than go.mod and go.sum. */
  readonly sources: readonly string[]
  /** Variables that the linker sets: `package.name=value`. */
  readonly variables?: readonly string[]
}

/** Absolute path of the program, built once and cached outside the checkout; rejects if Go is missing for that. */
export async function goBinary (program: GoProgram): Promise<string> {
  const folder = await cacheFolder(program)
  const file = path.join(folder, program.name)
  if (await exists(file)) return file
  await mkdir(folder, { recursive: true })
  const release = await lock(`${file}.lock`)
  try {
    if (!await exists(file)) await build(program, file)
  } finally {
    await release()
  }
  return file
}

/** Absolute path of the first file of that name in the folders; undefined without one. */
export async function foundIn (folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const file = path.resolve(folder, name)
    if (await exists(file)) return file
  }
  return undefined
}

async function build ({ name, source, module, variables = [] }: GoProgram, file: string): Promise<void> {
  process.stderr.write(
    `building ${name} from its Go module, once; kube-apiserver takes about 6 minutes, the others less\n`
  )
  const partial = `${file}.${process.pid}`
  try {
    const ldflags = ['-s', '-w', ...variables.map((variable) => `-X ${variable}`)].join(' ')
    await promisify(execFile)('go', ['build', '-trimpath', `-ldflags=${ldflags}`, '-o', partial, source], {
      cwd: module,
      maxBuffer: 64 * 1024 * 1024
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(
        `these tests need ${name}: install Go 1.26 so that it can be built, or have it where CONTRIBUTING.md says`,
        { cause: error }
      )
    }
    throw error
  }
  await rename(partial, file)
}

/** One folder for each state of the Go module, so that a changed version causes a build. */
async function cacheFolder ({ module, sources, variables = [] }: GoProgram): Promise<string> {
  const contents = await Promise.all(
    ['go.mod', 'go.sum', ...sources].map(async (file) => await readFile(path.join(module, file)))
  )
  const sum = createHash('sha256')
  for (const content of [...contents, ...variables]) sum.update(content)
  const hash = sum.digest('hex').slice(0, 16)
  return path.join(CACHE, `${process.platform}-${process.arch}-${hash}`)
}

/** Folder of what the tests build. */
export const CACHE = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'aim-admission')

/** Longer than any build; an older lock belongs to a process that died. */
const STALE_MS = 30 * 60 * 1_000

/** Waits for a lock: a folder, which only one process can create. */
async function lock (folder: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await mkdir(folder)
      return async () => { await rm(folder, { recursive: true, force: true }) }
    } catch {
      const made = await stat(folder).catch(() => undefined)
      if (made !== undefined && Date.now() - made.mtimeMs > STALE_MS) await rm(folder, { recursive: true, force: true })
      else await delay(200)
    }
  }
}

async function exists (file: string): Promise<boolean> {
  return await access(file).then(() => true, () => false)
}
