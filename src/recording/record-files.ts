import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Log } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'
import { errorMessage } from '../platform/error-message.ts'
import { parseJson } from '../platform/json.ts'
import { readRecord, type ReviewRecord } from './review-record.ts'

export interface RecordFilesOptions {
  /** Created if it is missing. */
  readonly folder: string
  /** Size limit of a file, in bytes; only a single larger line exceeds it. */
  readonly fileBytes: number
  /** Limit of files in the folder; the oldest is deleted first. */
  readonly files: number
  readonly clock: Clock
  readonly log: Log
  /** Called when an old file has been deleted. */
  readonly onDeleted: () => void
}

/** Pause after a disk failure, in milliseconds. */
const RETRY_MS = 10_000

/** Names of record files; they sort by time. */
const RECORD_FILE = /^reviews-\d{8}T\d{9}Z-\d+-\d+\.jsonl$/

interface OpenFile { readonly handle: FileHandle, bytes: number }

/**
 * Writes lines to files of bounded size and number. Why not rotating-file-stream: it ignores short writes. On a full
 * disk it reports a truncated line as written, and appends the next line to it.
 */
export class RecordFiles {
  readonly #options: RecordFilesOptions
  #file: OpenFile | undefined
  #opened = 0
  #failedAt: number | undefined

  constructor (options: RecordFilesOptions) { this.#options = options }

  /** Creates the folder and the first file. Rejects if that fails. */
  async start (): Promise<void> {
    const { folder } = this.#options
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      this.#file = await this.#openNext()
    } catch (error) {
      const reason = `${errorMessage(error)}; give a folder that this process may write to`
      throw new Error(`cannot record reviews in ${folder} (--record): ${reason}`, { cause: error })
    }
  }

  /** Whether the line was written. One call at a time. After a failure, lines are dropped for a while. */
  async write (line: string): Promise<boolean> {
    const { folder, clock, log } = this.#options
    if (this.#failedAt !== undefined && clock.now() - this.#failedAt < RETRY_MS) return false
    const text = Buffer.from(`${line}\n`)
    try {
      const file = await this.#fileFor(text.length)
      await file.handle.writeFile(text) // unlike `write`, never short
      file.bytes += text.length
      if (this.#failedAt !== undefined) log.info({ folder }, 'recording reviews again')
      this.#failedAt = undefined
      return true
    } catch (error) {
      if (this.#failedAt === undefined) log.warn({ folder, reason: errorMessage(error) }, 'failed to record reviews')
      this.#failedAt = clock.now()
      await this.close().catch(() => undefined) // the next line starts another file
      return false
    }
  }

  async close (): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
  }

  async #fileFor (bytes: number): Promise<OpenFile> {
    const file = this.#file
    if (file !== undefined && (file.bytes === 0 || file.bytes + bytes <= this.#options.fileBytes)) return file
    await this.close()
    this.#file = await this.#openNext()
    return this.#file
  }

  async #openNext (): Promise<OpenFile> {
    const { folder, files, onDeleted } = this.#options
    const time = new Date().toISOString().replace(/[-:.]/g, '')
    const name = `reviews-${time}-${process.pid}-${String(++this.#opened).padStart(6, '0')}.jsonl`
    const handle = await open(path.join(folder, name), 'ax', 0o600)
    for (const old of (await recordFiles(folder)).slice(0, -files)) {
      await rm(path.join(folder, old), { force: true })
      onDeleted()
    }
    return { handle, bytes: 0 }
  }
}

/** One line of a record file. `truncated`: the last line is incomplete, as after a full disk. */
export type ReadLine = { readonly file: string, readonly line: number } & (
  | { readonly kind: 'record', readonly record: ReviewRecord }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'problem', readonly problem: string } // one line
)

/** Reads the records of a folder, oldest first. Rejects if the folder or a file cannot be read. */
export async function * readRecords (folder: string): AsyncGenerator<ReadLine> {
  for (const name of await recordFiles(folder)) {
    const file = path.join(folder, name)
    let invalid: { readonly file: string, readonly line: number } | undefined
    let line = 0
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      if (invalid !== undefined) yield { ...invalid, kind: 'problem', problem: 'not JSON' }
      const parsed = parseLine(text)
      const place = { file, line: ++line }
      invalid = parsed === undefined ? place : undefined
      if (parsed === undefined) continue
      const record = readRecord(parsed.value)
      if (typeof record === 'string') yield { ...place, kind: 'problem', problem: record }
      else yield { ...place, kind: 'record', record }
    }
    if (invalid !== undefined) yield { ...invalid, kind: 'truncated' }
  }
}

async function recordFiles (folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => RECORD_FILE.test(name)).sort()
}

function parseLine (text: string): { readonly value: unknown } | undefined {
  try {
    return { value: parseJson(text) }
  } catch {
    return undefined
  }
}
