import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Absolute paths. */
export interface KubernetesBinaries { readonly kubeApiserver: string, readonly etcd: string, readonly jsonpathOracle: string }

/**
 * The binaries that the tests run: those in KUBEBUILDER_ASSETS or on the PATH, else built once from test/kubernetes and cached outside the checkout.
 * Rejects with one sentence where there are none and Go is not installed.
 */
export async function kubernetesBinaries (): Promise<KubernetesBinaries> {
  return {
    kubeApiserver: await installed('kube-apiserver') ?? await built('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver'),
    etcd: await installed('etcd') ?? await built('etcd', 'go.etcd.io/etcd/server/v3'),
    jsonpathOracle: await jsonpathOracle()
  }
}

/** client-go's JSONPath as a program; see test/kubernetes/jsonpath-oracle. */
export async function jsonpathOracle (): Promise<string> {
  return await built('jsonpath-oracle', './jsonpath-oracle')
}

const MODULE = path.resolve(import.meta.dirname, '../kubernetes')

async function installed (name: string): Promise<string | undefined> {
  const assets = process.env['KUBEBUILDER_ASSETS']
  const folders = assets === undefined ? (process.env['PATH'] ?? '').split(path.delimiter) : [assets]
  for (const folder of folders) {
    const file = path.resolve(folder, name)
    if (await exists(file)) return file
  }
  return undefined
}

async function built (name: string, source: string): Promise<string> {
  const folder = await cacheFolder()
  const file = path.join(folder, name)
  if (await exists(file)) return file
  await mkdir(folder, { recursive: true })
  const release = await lock(`${file}.lock`)
  try {
    if (!await exists(file)) await build({ name, source, file })
  } finally {
    await release()
  }
  return file
}

async function build ({ name, source, file }: { name: string, source: string, file: string }): Promise<void> {
  process.stderr.write(`building ${name} from its Go module, once; kube-apiserver takes about 6 minutes\n`)
  const partial = `${file}.${process.pid}`
  try {
    await promisify(execFile)('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', partial, source], { cwd: MODULE, maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`the cluster tests need ${name}: install Go 1.26 so that it can be built, or point KUBEBUILDER_ASSETS to a folder that has it`, { cause: error })
    }
    throw error
  }
  await rename(partial, file)
}

/** One folder for each state of the Go module, so that a changed version builds anew. */
async function cacheFolder (): Promise<string> {
  const sources = await Promise.all(['go.mod', 'go.sum', 'jsonpath-oracle/main.go'].map(async (file) => await readFile(path.join(MODULE, file))))
  const hash = sources.reduce((sum, source) => sum.update(source), createHash('sha256')).digest('hex').slice(0, 16)
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache')
  return path.join(cache, 'aim-admission', `${process.platform}-${process.arch}-${hash}`)
}

/** Longer than any build takes; a lock that is older belongs to a process that died. */
const STALE_MS = 30 * 60 * 1_000

/** Waits for a lock that is a folder, which only one process can make. */
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
