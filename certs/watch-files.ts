import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import type { Log } from '../src/core/ports.ts'
import type { Clock } from '../src/platform/clock.ts'
import { errorMessage } from '../src/platform/error-message.ts'

export interface WatchedFilesOptions {
  readonly files: readonly string[]
  /** Receives the contents in the order of `files`. Throws if they are unusable; then the previous contents stay. */
  readonly take: (texts: readonly string[]) => void
  readonly onUnusable: () => void
  readonly clock: Clock
  readonly log: Log
}

/** Delay between the first file event and the read, in milliseconds: the files of a pair are written separately. */
const SETTLE_MS = 50
/** Interval of reads without a file event, in milliseconds: some file systems send none. */
const POLL_MS = 3_000

/**
 * Reads files that belong together, again after each change. Watches their folders, because a mounted Secret changes by
 * a symbolic link beside the files. Reports unusable contents once per change.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions
  #watchers: readonly FSWatcher[] = []
  #lastHash = ''
  #cancel: () => void = () => undefined
  #settling = false
  #stopped = false

  constructor (options: WatchedFilesOptions) { this.#options = options }

  /** Reads the files once, then follows them. Throws if they are missing or unusable. */
  start (): void {
    const { files, take } = this.#options
    const { texts, problem, hash } = readAll(files)
    if (problem !== undefined) throw new Error(problem)
    take(texts)
    this.#lastHash = hash
    this.#watchers = [...new Set(files.map((file) => path.dirname(file)))].flatMap((folder) => this.#watch(folder))
    this.#scheduleRead(POLL_MS)
  }

  stop (): void {
    this.#stopped = true
    this.#cancel()
    for (const watcher of this.#watchers) watcher.close()
  }

  #watch (folder: string): FSWatcher[] {
    const fail = (error: unknown): void => {
      this.#options.log.warn({ folder, reason: errorMessage(error) }, 'failed to watch folder, polling its files')
    }
    try {
      return [watch(folder, () => { this.#settle() }).on('error', fail)]
    } catch (error) {
      fail(error)
      return []
    }
  }

  #settle (): void {
    if (this.#settling || this.#stopped) return
    this.#settling = true
    this.#scheduleRead(SETTLE_MS)
  }

  #scheduleRead (ms: number): void {
    this.#cancel()
    this.#cancel = this.#options.clock.setTimeout(ms, () => {
      this.#settling = false
      this.#read()
      this.#scheduleRead(POLL_MS)
    })
  }

  #read (): void {
    const { files, take, onUnusable, log } = this.#options
    const { texts, problem, hash } = readAll(files)
    if (hash === this.#lastHash) return
    this.#lastHash = hash
    try {
      if (problem !== undefined) throw new Error(problem)
      take(texts)
      log.info({ files }, 'loaded changed files')
    } catch (error) {
      onUnusable()
      log.error({ files, reason: errorMessage(error) }, 'failed to load changed files, keeping their previous contents')
    }
  }
}

/** `problem`: why a file cannot be read. `hash` covers the texts and the problem. */
function readAll (files: readonly string[]): { texts: readonly string[], problem: string | undefined, hash: string } {
  const hash = createHash('sha256')
  let problem: string | undefined
  const texts = files.map((file) => {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      problem ??= `cannot read ${file}: ${errorMessage(error)}`
      return ''
    }
  })
  for (const text of [...texts, problem ?? '']) hash.update(`${text.length}:${text}`)
  return { texts, problem, hash: hash.digest('hex') }
}
