import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import { SERVER_LIMITS } from '../../../src/server/limits.ts'
import { bodyReader } from '../../../src/server/overload/read-body.ts'

const read = bodyReader({ limits: SERVER_LIMITS, onGone: () => {} })

/** The result of a body that arrives in these chunks. */
async function bodyOf (chunks: readonly Buffer[]): Promise<Buffer | undefined> {
  const payload = Object.assign(Readable.from(chunks), { headers: {} })
  return await new Promise((resolve, reject) => {
    // only the socket of a request is used, after an error
    read({ raw: {} } as never, payload as never, (error, body) => {
      if (error === null) resolve(body?.whole())
      else reject(error)
    })
  })
}

/** Sizes around the limit of small chunks, and around that of tails. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 4_000, max: 4_200 }),
  fc.integer({ min: 16_000, max: 20_000 })
)

t.test('joins chunks of any sizes in their order', async (t) => {
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 40 }), async (sizes) => {
    const chunks = sizes.map((length, at) => Buffer.alloc(length, at + 1))
    return (await bodyOf(chunks))?.equals(Buffer.concat(chunks)) === true
  })))
})

t.test('does not copy a body in one chunk', async (t) => {
  const chunk = Buffer.alloc(3_000, 'x')
  t.equal(await bodyOf([chunk]), chunk)
})

t.test('reads a large body over many turns of the event loop', async (t) => {
  const chunks = Array.from({ length: 64 }, (_, at) => Buffer.alloc(64 * 1024, at))
  let turns = 0
  const count = (): void => {
    turns++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  t.ok((await bodyOf(chunks))?.equals(Buffer.concat(chunks)))
  clearImmediate(counting)
  t.ok(turns >= 8, `4 MiB in ${turns} turns`)
})

t.test('a complete body does not wait for memory', async (t) => {
  const read = bodyReader({ limits: { ...SERVER_LIMITS, arrivingBytes: 100_000 }, onGone: () => {} })
  let ended = 0
  /** A stream of this size, and its length once it is read; -1 if it is refused. */
  const begin = (bytes: number): { payload: Readable, done: Promise<number> } => {
    const payload = Object.assign(new Readable({ read: () => {} }), { headers: { 'content-length': String(bytes) } })
    const done = new Promise<number>((resolve) => {
      // as above
      read({ raw: {} } as never, payload as never, (error, body) => {
        ended++
        resolve(error === null ? (body?.length ?? 0) : -1)
      })
    })
    return { payload, done }
  }
  const slow = Array.from({ length: 20 }, () => begin(999_999))
  for (const { payload } of slow) payload.push(Buffer.alloc(6_000))
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
  t.equal(ended, 0)
  const whole = begin(400_000)
  for (let half = 0; half < 2; half++) {
    whole.payload.push(Buffer.alloc(200_000))
    await new Promise<void>((resolve) => { process.nextTick(resolve) })
  }
  whole.payload.push(null)
  t.equal(await whole.done, 400_000)
  t.ok(ended < 6, `${21 - ended} slow ones are not refused yet`)
  t.equal(await slow[0]?.done, -1, 'it is refused later')
})

t.test('resumes few paused bodies per turn', async (t) => {
  const read = bodyReader({ limits: SERVER_LIMITS, onGone: () => {} })
  let bytes = 0
  const all = Array.from({ length: 100 }, async () => {
    const payload = Object.assign(new Readable({ read: () => {} }), { headers: {} })
    payload.on('data', ({ length }: Buffer) => { bytes += length })
    const done = new Promise((resolve) => { read({ raw: {} } as never, payload as never, resolve) }) // as above
    for (let chunk = 0; chunk < 12; chunk++) payload.push(Buffer.alloc(16 * 1024))
    payload.push(null)
    t.equal(await done, null)
  })
  await new Promise<void>((resolve) => { setImmediate(resolve) }) // by then, each has started
  let [most, last] = [0, bytes]
  let counting = setImmediate(function count () {
    most = Math.max(most, bytes - last)
    last = bytes
    counting = setImmediate(count)
  })
  await Promise.all(all)
  clearImmediate(counting)
  t.ok(most <= 512 * 1024, `${most / 1024} KiB in one turn`)
})
