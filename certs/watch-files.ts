import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import type { Log } from '../src/core/ports.ts'
import { errorMessage } from '../src/platform/error-message.ts'
import type { Clock } from '../src/platform/clock.ts'

export interface WatchedFilesOptions {
  readonly files: readonly string[]
  /**
   * Takes what the files hold, in their order. Throws one sentence where it cannot be used: then what was taken before
   * stays.
   */
  readonly take: (texts: readonly string[]) => void
  readonly onUnusable: () => void
  readonly clock: Clock
  readonly log: Log
}

/**
 * How long after the first sign of a change the files are read, in milliseconds: a pair is seldom written in one go.
 */
const SETTLE_MS = 50
/** How often they are read without a sign, in milliseconds: some file systems give none. */
const POLL_MS = 3_000

/**
 * Files that belong together, taken anew whenever they have changed. Their folders are watched, since a mounted Secret
 * changes by a link beside the files that is put in another's place; and they are read now and then without a sign.
 * Files that cannot be used are told of once, until they change again.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions
  #watchers: readonly FSWatcher[] = []
  #seen = ''
  #cancel: () => void = () => undefined
  #settling = false
  #stopped = false

  constructor (options: WatchedFilesOptions) {
    this.#options = options
  }

  /** Reads and takes the files, then follows them. Throws one sentence where they cannot be read or used. */
  start (): void {
    const { files, take } = this.#options
    const { texts, trouble, hash } = readTogether(files)
    if (trouble !== undefined) throw new Error(trouble)
    take(texts)
    this.#seen = hash
    this.#watchers = [...new Set(files.map((file) => path.dirname(file)))].flatMap((folder) => this.#watch(folder))
    this.#wait(POLL_MS)
  }

  stop (): void {
    this.#stopped = true
    this.#cancel()
    for (const watcher of this.#watchers) watcher.close()
  }

  #watch (folder: string): FSWatcher[] {
    const fail = (error: unknown): void => {
      this.#options.log.warn(
        { folder, reason: errorMessage(error) },
        'a folder cannot be watched, its files are read now and then'
      )
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
    this.#wait(SETTLE_MS)
  }

  #wait (ms: number): void {
    this.#cancel()
    this.#cancel = this.#options.clock.setTimeout(ms, () => {
      this.#settling = false
      this.#read()
      this.#wait(POLL_MS)
    })
  }

  #read (): void {
    const { files, take, onUnusable, log } = this.#options
    const { texts, trouble, hash } = readTogether(files)
    if (hash === this.#seen) return
    this.#seen = hash
    try {
      if (trouble !== undefined) throw new Error(trouble)
      take(texts)
      log.info({ files }, 'changed files are in use')
    } catch (error) {
      onUnusable()
      log.error(
        { files, reason: errorMessage(error) },
        'changed files cannot be used, what they held before stays in use'
      )
    }
  }
}

/** What the files hold, why one cannot be read, and a hash of both. */
function readTogether (files: readonly string[]): { readonly texts: readonly string[], readonly trouble: string | undefined, readonly hash: string } {
  const hash = createHash('sha256')
  let trouble: string | undefined
  const texts = files.map((file) => {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      trouble ??= `cannot read ${file}: ${errorMessage(error)}`
      return ''
    }
  })
  for (const text of [...texts, trouble ?? '']) hash.update(`${text.length}:${text}`)
  return { texts, trouble, hash: hash.digest('hex') }
}
