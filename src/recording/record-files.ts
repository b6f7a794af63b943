import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { Clock } from '../platform/clock.ts'

export interface RecordFilesOptions {
  /** Is made where it is missing. */
  readonly folder: string
  /** Size beyond which the next file is begun, in bytes. */
  readonly fileBytes: number
  /** How many files there are at most; beyond it the oldest goes. */
  readonly files: number
  readonly clock: Clock
  readonly log: Log
  /** Called with how many lines were written, or lost because the disk did not take them. */
  readonly onEnded: (lines: number, outcome: 'written' | 'dropped') => void
  /** Called when an old file has gone. */
  readonly onRemoved: () => void
}

/** Most that waits for a slow disk, in characters. */
const MAX_WAITING = 4 * 1024 * 1024
/** How long the disk is left alone after it has failed, in milliseconds. */
const RETRY_MS = 10_000
/** Longest wait for the disk at the end, in milliseconds. */
const CLOSE_MS = 1_000

/** Which files of a folder hold records; their names are in the order of time. */
export const RECORD_FILE = /^reviews-\d{8}T\d{9}Z-\d+-\d+\.jsonl$/

interface RecordFile { readonly handle: FileHandle, bytes: number }

/**
 * Lines in files of bounded size and number, of which whoever appends never waits. Lines that a slow, full or broken
 * disk does not take are lost.
 */
export class RecordFiles {
  readonly #options: RecordFilesOptions
  #file: RecordFile | undefined
  #begun = 0
  #waiting: string[] = []
  #weight = 0
  #writing: Promise<void> | undefined
  #failedAt: number | undefined

  constructor (options: RecordFilesOptions) {
    this.#options = options
  }

  /** Makes the folder and the first file. Rejects with a sentence where that cannot be done. */
  async start (): Promise<void> {
    const { folder } = this.#options
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      this.#file = await this.#begin()
    } catch (error) {
      throw new Error(
        `cannot record reviews in ${folder} (--record): ${errorMessage(error)}; give a folder that this process may write to`,
        { cause: error }
      )
    }
  }

  /** Takes a line, without its end, to be written soon; false where it is lost at once. */
  append (line: string): boolean {
    const isBroken = this.#failedAt !== undefined && this.#options.clock.now() - this.#failedAt < RETRY_MS
    if (isBroken || this.#weight + line.length > MAX_WAITING) return false
    this.#waiting.push(`${line}\n`)
    this.#weight += line.length
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined })
    return true
  }

  /** Writes what waits, as far as the disk takes it in a second. */
  async stop (): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const ignore = this.#options.clock.setTimeout(CLOSE_MS, () => { resolve(undefined) })
    await Promise.race([
      promise,
      (this.#writing ?? Promise.resolve())
        .then(async () => { await this.#close() })
        .catch(() => undefined)
    ])
    ignore()
  }

  async #write (): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch()
      const text = Buffer.from(batch.join(''))
      try {
        const file = await this.#fileFor(text.length)
        await file.handle.writeFile(text)
        file.bytes += text.length
        this.#options.onEnded(batch.length, 'written')
        this.#recovered()
      } catch (error) {
        this.#options.onEnded(batch.length + this.#waiting.length, 'dropped')
        this.#waiting = []
        await this.#failed(error)
      }
      this.#weight = this.#waiting.reduce((sum, line) => sum + line.length, 0)
    }
  }

  /** As many lines as the file has room for; at least one. */
  #nextBatch (): string[] {
    const room = this.#options.fileBytes - (this.#file?.bytes ?? 0)
    let bytes = 0
    const beyond = this.#waiting.findIndex((line) => (bytes += Buffer.byteLength(line)) > room)
    return this.#waiting.splice(0, beyond === -1 ? this.#waiting.length : Math.max(1, beyond))
  }

  async #fileFor (bytes: number): Promise<RecordFile> {
    if (this.#file !== undefined && (this.#file.bytes === 0 || this.#file.bytes + bytes <= this.#options.fileBytes)) { return this.#file }
    await this.#close()
    this.#file = await this.#begin()
    return this.#file
  }

  async #begin (): Promise<RecordFile> {
    const { folder, files, onRemoved } = this.#options
    const time = new Date().toISOString().replace(/[-:.]/g, '')
    const name = `reviews-${time}-${process.pid}-${String(++this.#begun).padStart(6, '0')}.jsonl`
    const handle = await open(path.join(folder, name), 'ax', 0o600)
    const known = (await readdir(folder)).filter((file) => RECORD_FILE.test(file)).sort()
    for (const file of known.slice(0, -files)) {
      await rm(path.join(folder, file), { force: true })
      onRemoved()
    }
    return { handle, bytes: 0 }
  }

  async #close (): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
  }

  async #failed (error: unknown): Promise<void> {
    if (this.#failedAt === undefined) {
      this.#options.log.warn(
        { folder: this.#options.folder, reason: errorMessage(error) },
        'reviews are not recorded: the disk does not take them'
      )
    }
    this.#failedAt = this.#options.clock.now()
    await this.#close().catch(() => undefined) // the next file is another one
  }

  #recovered (): void {
    if (this.#failedAt === undefined) return
    this.#failedAt = undefined
    this.#options.log.info({ folder: this.#options.folder }, 'reviews are recorded again')
  }
}
