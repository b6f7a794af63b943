import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import { encodeReview } from '../../../src/admission/encode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import type { Fault } from '../../../src/core/faults.ts'
import { aReview } from '../../support/builders/a-review.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

interface Response { warnings?: string[], status: { message: string, details: { name: string, causes: unknown[] } } }

function responseTo (verdict: Verdict, fields: JsonObject = {}): Response {
  const decoded = decodeReview(Buffer.from(aReview(fields)))
  if (decoded.kind !== 'review') throw new Error(decoded.message)
  return (JSON.parse(encodeReview(decoded.request, verdict)) as { response: Response }).response
}

const admit = (...warnings: string[]): Verdict => ({ kind: 'admit', warnings })
const fault = (message: string, field = 'spec.a'): Fault => ({ code: 'AIM-PATH-TOO-LONG', field, message })

t.test('returns any uid unchanged', async (t) => {
  for (const uid of ['u', '"\\\n', '\ud800', '__proto__', 'ü'.repeat(1_000)]) {
    t.match(responseTo(admit(), { uid }), { uid, allowed: true })
  }
})

t.test('an admitted review has no other field', async (t) => {
  t.strictSame(Object.keys(responseTo(admit())), ['uid', 'allowed'])
})

t.test('passes on audit annotations', async (t) => {
  t.match(responseTo({ ...admit(), audit: { config: 'missing' } }), { auditAnnotations: { config: 'missing' } })
})

const warnings: Record<string, { given: string[], want: string[] }> = {
  'keeps a short warning': { given: ['a warning'], want: ['a warning'] },
  'keeps 256 bytes': { given: ['x'.repeat(256)], want: ['x'.repeat(256)] },
  'shortens 257 bytes in the middle': {
    given: [`${'x'.repeat(200)}${'y'.repeat(57)}`],
    want: [`${'x'.repeat(126)}…${'x'.repeat(70)}${'y'.repeat(57)}`]
  },
  'does not split a character': { given: ['é'.repeat(200)], want: [`${'é'.repeat(63)}…${'é'.repeat(63)}`] },
  'does not split a character of four bytes': {
    given: ['😀'.repeat(65)],
    want: [`${'😀'.repeat(31)}…${'😀'.repeat(31)}`]
  },
  'replaces line breaks by a space': { given: ['a\r\nb\u2028c'], want: ['a b c'] },
  'escapes control and bidirectional characters': {
    given: ['a\u001B[31mb\u009Bc\u202Ed'],
    want: ['a\\u{1b}[31mb\\u{9b}c\\u{202e}d']
  },
  'keeps the first 4,096 bytes in total': {
    given: Array.from({ length: 20 }, (_, at) => `${at} `.padEnd(256, 'x')),
    want: Array.from({ length: 16 }, (_, at) => `${at} `.padEnd(256, 'x'))
  }
}

t.test('warnings', async (t) => {
  for (const [name, { given, want }] of Object.entries(warnings)) {
    t.test(name, async (t) => { t.strictSame(responseTo(admit(...given)).warnings, want) })
  }
})

t.test('a refusal lists each fault as a cause, and joins them into one message', async (t) => {
  const { status } = responseTo({
    kind: 'deny',
    faults: [fault('too\nlong'), fault('not set', 'metadata.labels[team]')],
    warnings: []
  })
  t.strictSame(status, {
    status: 'Failure',
    code: 422,
    reason: 'Invalid',
    message: 'spec.a: too long; metadata.labels[team]: not set',
    details: {
      group: 'aim.silogen.ai',
      kind: 'AIMService',
      name: 'llama-chat',
      causes: [
        { reason: 'AIM-PATH-TOO-LONG', message: 'too long', field: 'spec.a' },
        { reason: 'AIM-PATH-TOO-LONG', message: 'not set', field: 'metadata.labels[team]' }
      ]
    }
  })
})

t.test('a refusal names an unnamed object by its generateName', async (t) => {
  const { status } = responseTo(
    { kind: 'deny', faults: [fault('no')], warnings: [] },
    { name: '', object: { metadata: { generateName: 'llama-' } } }
  )
  t.equal(status.details.name, 'llama-')
})

t.test('shortens a long cause in the middle, and keeps the fix at its end', async (t) => {
  const { status } = responseTo({
    kind: 'deny',
    faults: [fault(`what ${'😀'.repeat(700)}; run: kubectl label`)],
    warnings: []
  })
  const [{ message }] = status.details.causes as [{ message: string }]
  t.ok(message.length <= 1_024)
  t.match(message, /^what 😀.*😀; run: kubectl label$/u)
  t.ok(message.isWellFormed())
})

t.test('a refusal with many long faults has a short message and all causes', async (t) => {
  const { status } = responseTo({
    kind: 'deny',
    faults: [fault('x'.repeat(900)), fault('y'.repeat(900)), fault('z'.repeat(900))],
    warnings: []
  })
  t.equal(status.message.length, 1_024)
  t.match(status.message, /y…$/)
  t.equal(status.details.causes.length, 3)
})
