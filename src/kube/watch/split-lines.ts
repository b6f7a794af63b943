import { setImmediate as yieldToEventLoop } from 'node:timers/promises'

const NEWLINE = 0x0a

/**
 * How long lines may follow each other, in milliseconds. One chunk may hold hundreds, and reviews must not wait for
 * all.
 */
const TURN_MS = 1

/**
 * The lines of a stream in UTF-8 as they arrive, including a last one without its newline. Takes time linear in the
 * bytes, whatever the chunks, and yields to the event loop regularly.
 */
export async function * splitLines (stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let partial: Uint8Array[] = []
  let since = performance.now()
  for await (const chunk of stream) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      partial.push(chunk.subarray(start, end))
      yield textOf(partial)
      partial = []
      start = end + 1
      if (performance.now() - since > TURN_MS) {
        await yieldToEventLoop()
        since = performance.now()
      }
    }
    if (start < chunk.length) partial.push(chunk.subarray(start))
  }
  if (partial.length > 0) yield textOf(partial)
}

/** Decodes a line as a whole, because a chunk may end within a character. */
function textOf (pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString('utf8')
}
