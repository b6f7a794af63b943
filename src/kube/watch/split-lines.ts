import { setImmediate as othersTurn } from 'node:timers/promises'

const NEWLINE = 0x0a

/**
 * For how long lines may follow each other, in milliseconds. A piece of a stream holds hundreds, and reviews would wait
 * until all of them were taken in.
 */
const TURN_MS = 1

/**
 * The lines of a UTF-8 stream as they come, a last one without its newline included. Takes time linear in the bytes,
 * however they are cut, and lets the rest of the process have its turn in between.
 */
export async function * splitLines (stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let begun: Uint8Array[] = []
  let since = performance.now()
  for await (const chunk of stream) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      begun.push(chunk.subarray(start, end))
      yield textOf(begun)
      begun = []
      start = end + 1
      if (performance.now() - since > TURN_MS) {
        await othersTurn()
        since = performance.now()
      }
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
  }
  if (begun.length > 0) yield textOf(begun)
}

/** A line is decoded whole, so that no character is ever cut. */
function textOf (pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString('utf8')
}
