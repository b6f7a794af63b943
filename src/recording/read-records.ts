import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { RECORD_FILE } from './record-files.ts'
import { readRecord, type ReviewRecord } from './review-record.ts'

/**
 * A line of a file of records. `cut`: the last one, of which the end is missing, as where a disk was full or a process
 * was killed. `problem`: one line that says why it is no record.
 */
export type ReadLine = { readonly file: string, readonly line: number } & (
  | { readonly kind: 'record', readonly record: ReviewRecord }
  | { readonly kind: 'cut' }
  | { readonly kind: 'problem', readonly problem: string }
)

/** The records of a folder, in the order of time. Rejects where the folder or a file cannot be read. */
export async function * readRecords (folder: string): AsyncGenerator<ReadLine> {
  const names = (await readdir(folder)).filter((name) => RECORD_FILE.test(name)).sort()
  for (const name of names) {
    const file = path.join(folder, name)
    let cut: ReadLine | undefined
    let line = 0
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      if (cut !== undefined) yield { ...cut, kind: 'problem', problem: NOT_JSON }
      line++
      const read = parse(text)
      cut = read === undefined ? { file, line, kind: 'cut' } : undefined
      if (read !== undefined) yield { file, line, ...recordOrProblem(read.value) }
    }
    if (cut !== undefined) yield cut
  }
}

const NOT_JSON = 'not JSON'

function parse (text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function recordOrProblem (value: unknown): { kind: 'record', record: ReviewRecord } | { kind: 'problem', problem: string } {
  const record = readRecord(value)
  return typeof record === 'string' ? { kind: 'problem', problem: record } : { kind: 'record', record }
}
