import t from 'tap'
import { splitLines } from '../../../src/kube/watch/watch-events.ts'

async function * stream (chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield * chunks
}

async function linesOf (chunks: Iterable<Uint8Array>): Promise<string[]> {
  const lines = []
  for await (const line of splitLines(stream(chunks))) lines.push(line)
  return lines
}

/** The text in chunks of `size` bytes. */
function * chunksOf (text: string, size: number): Generator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

const cases: Record<string, { text: string, lines: string[] }> = {
  'lines end at newlines': { text: 'a\nbc\n', lines: ['a', 'bc'] },
  'the last line needs no newline': { text: 'a\nbc', lines: ['a', 'bc'] },
  'empty lines are lines': { text: '\n\na\n', lines: ['', '', 'a'] },
  'an empty stream has no lines': { text: '', lines: [] },
  'multi-byte characters stay whole': { text: 'größe\n漢字 🚀\n', lines: ['größe', '漢字 🚀'] },
  'a carriage return or line separator does not end a line': { text: 'a\rb\u2028c\n', lines: ['a\rb\u2028c'] }
}

for (const [name, { text, lines }] of Object.entries(cases)) {
  t.test(`${name}, whatever the chunk size`, async (t) => {
    for (let size = 1; size <= 16; size++) t.strictSame(await linesOf(chunksOf(text, size)), lines)
  })
}

t.test('the time per line is linear in its number of chunks', async (t) => {
  const chunk = Buffer.alloc(64, 'x')
  const timeFor = async (count: number) => {
    const before = process.cpuUsage() // CPU time, which a busy machine does not change
    await linesOf(Array.from({ length: count }, () => chunk))
    return process.cpuUsage(before).user
  }
  await timeFor(20_000)
  const [short, long] = [await timeFor(20_000), await timeFor(320_000)]
  t.ok(long < short * 16 * 4, `16 times the chunks took ${(long / short).toFixed(1)} times as long`)
})

t.test('a slow consumer of one large chunk does not block the event loop', async (t) => {
  let turns = 0
  let over = false
  const count = (): void => {
    turns++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  let lines = 0
  for await (const line of splitLines(stream([Buffer.from('line\n'.repeat(50))]))) {
    lines++
    t.equal(line, 'line')
    for (const until = performance.now() + 1; performance.now() < until;);
  }
  over = true
  t.equal(lines, 50)
  t.ok(turns > 10, `${turns} turns`)
})
