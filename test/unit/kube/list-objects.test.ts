import fc from 'fast-check'
import t from 'tap'
import { readListPage } from '../../../src/kube/objects/list-objects.ts'

const chunked = async function * (text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read (text: string, size: number): Promise<{ objects: unknown[], end: unknown }> {
  const objects: unknown[] = []
  const end = await readListPage(chunked(text, size), ({ object }) => { objects.push(object) })
  return { objects, end }
}

t.test('reads the items of a list one by one, whatever they contain and however the bytes are cut', async (t) => {
  const item = fc.record({
    metadata: fc.record({ name: fc.constant('a'), resourceVersion: fc.constant('1'), namespace: fc.string() }),
    spec: fc.jsonValue(),
    items: fc.jsonValue()
  })
  const list = fc.record({ items: fc.array(item, { maxLength: 4 }), spaces: fc.nat(2), isLast: fc.boolean() })
  await fc.assert(fc.asyncProperty(list, fc.integer({ min: 1, max: 40 }), async ({ items, spaces, isLast }, size) => {
    const metadata = { continue: 'more', resourceVersion: '7' }
    const parts = { apiVersion: 'v1', kind: 'List' }
    const text = JSON.stringify(isLast ? { ...parts, metadata, items } : { ...parts, items, metadata }, null, spaces)
    const { objects, end } = await read(text, size)
    t.strictSame(objects, JSON.parse(JSON.stringify(items)))
    t.strictSame(end, { version: '7', next: 'more' })
  }), { numRuns: 300 })
})

const unreadable: Readonly<Record<string, string>> = {
  'no list': '{"kind":"Status"}',
  'a truncated list': '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a","resourceVersion":"1"}}',
  'items that are no list': '{"metadata":{"resourceVersion":"1"},"items":{"a":1}}',
  'an item without a name': '{"metadata":{"resourceVersion":"1"},"items":[{}]}',
  'text that is not JSON': 'Bad Gateway'
}
for (const [name, text] of Object.entries(unreadable)) {
  t.test(`rejects ${name}`, async (t) => {
    await t.rejects(read(text, 8), { name: 'Error', reason: 'unreadable' })
  })
}
