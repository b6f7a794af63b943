import { gzipSync } from 'node:zlib'
import t from 'tap'
import { SERVER_LIMITS } from '../../../src/server/limits.ts'
import { aRequest, aReview, reviewOf } from '../../support/builders/a-review.ts'
import { anAdmissionServer } from '../../support/http/admission-server.ts'
import { headOf, rawRequest } from '../../support/http/raw-request.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const nested = (levels: number) => '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2)

type Call = Parameters<Awaited<ReturnType<typeof anAdmissionServer>>['client']['call']>[0]

const refused: Record<string, { call: Call, status: number, error: RegExp }> = {
  'GET on the path of a webhook': { call: { method: 'GET', headers: {} }, status: 405, error: /only POST/ },
  'PUT on the path of a webhook': { call: { method: 'PUT', body: aReview() }, status: 405, error: /only POST/ },
  'a path without a webhook': { call: { path: '/mutate/pods', body: aReview() }, status: 404, error: /no webhook/ },
  'a malformed path': { call: { path: '/%zz', body: aReview() }, status: 404, error: /no webhook/ },
  'no content type': { call: { headers: {}, body: aReview() }, status: 415, error: /content type/ },
  'no content type and no body': { call: { headers: {} }, status: 415, error: /content type/ },
  'plain text': {
    call: { headers: { 'content-type': 'text/plain' }, body: aReview() },
    status: 415,
    error: /content type/
  },
  YAML: { call: { headers: { 'content-type': 'application/yaml' }, body: 'a: b' }, status: 415, error: /content type/ },
  'JSON in another charset': {
    call: { headers: { 'content-type': 'application/json; charset=utf-16' }, body: aReview() },
    status: 415,
    error: /content type/
  },
  'a malformed content type': {
    call: { headers: { 'content-type': '///' }, body: aReview() },
    status: 415,
    error: /content type/
  },
  'a gzipped body': {
    call: { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(aReview()) },
    status: 415,
    error: /encoded/
  },
  'an empty body': { call: { headers: JSON_TYPE, body: '' }, status: 400, error: /empty/ },
  'malformed JSON': { call: { body: '{"apiVersion":' }, status: 400, error: /not a JSON object/ },
  'a truncated review': { call: { body: aReview().slice(0, -9) }, status: 400, error: /not a JSON object/ },
  null: { call: { body: 'null' }, status: 400, error: /not a JSON object/ },
  'a list': { call: { body: '[]' }, status: 400, error: /not a JSON object/ },
  'a number': { call: { body: '1' }, status: 400, error: /not a JSON object/ },
  'a string': { call: { body: '"x"' }, status: 400, error: /not a JSON object/ },
  'a million levels of nesting': { call: { body: nested(1_000_000) }, status: 400, error: /not a JSON object/ },
  'invalid UTF-8': {
    call: { body: Buffer.concat([Buffer.from(aReview()), Buffer.from([0xc3, 0x28])]) },
    status: 400,
    error: /UTF-8/
  },
  'a byte order mark': { call: { body: `\uFEFF${aReview()}` }, status: 400, error: /not a JSON object/ },
  'a review of v1beta1': {
    call: { body: aReview().replace('/v1"', '/v1beta1"') },
    status: 400,
    error: /admission\.k8s\.io\/v1/
  },
  'another kind': {
    call: { body: aReview().replace('AdmissionReview', 'Pod') },
    status: 400,
    error: /AdmissionReview/
  },
  'no request': { call: { body: reviewOf(undefined) }, status: 400, error: /no request/ },
  'a request that is a list': { call: { body: reviewOf([]) }, status: 400, error: /no request/ },
  'no uid': { call: { body: aReview({ uid: undefined }) }, status: 400, error: /uid/ },
  'an empty uid': { call: { body: aReview({ uid: '' }) }, status: 400, error: /uid/ },
  'a numeric uid': { call: { body: aReview({ uid: 7 }) }, status: 400, error: /uid/ }
}

t.test('rejects what is not a review', async (t) => {
  const { client, metricLines } = await anAdmissionServer(t)
  for (const [name, { call, status, error }] of Object.entries(refused)) {
    t.test(`${name}: ${status} with one sentence, and the connection stays usable`, async (t) => {
      const reply = await client.call(call)
      t.match(reply, { status, body: { error }, headers: { 'content-type': 'application/json' } })
      t.strictSame(Object.keys(reply.body as object), ['error'])
      const after = await client.post(aReview())
      t.match(after, { status: 200, connection: reply.connection })
    })
  }
  t.test('no rejection counts as a defect', async (t) => {
    t.strictSame(
      await metricLines('aim_admission_requests_total{webhook="mutate-aimservices",operation="CREATE",outcome="error"'),
      []
    )
  })
})

const padded = (bytes: number) => {
  const bare = aReview({ padding: '' })
  return aReview({ padding: 'x'.repeat(bytes - bare.length) })
}

const accepted: Record<string, Call> = {
  'JSON with its charset': { headers: { 'content-type': 'application/json; charset=utf-8' }, body: aReview() },
  'JSON with its charset in capitals': {
    headers: { 'content-type': 'application/json;charset="UTF-8"' },
    body: aReview()
  },
  '10,000 levels of nesting': { body: aReview().replace('"oldObject":null', `"oldObject":${nested(9_990)}`) },
  // far more than a recursive parser could read; a million take a busy machine more than the timeout
  '200,000 levels of nesting in an unread field': {
    body: aReview().replace('"oldObject":null', `"oldObject":{"spec":${nested(200_000)}}`)
  },
  'one string of 3 MiB': { body: padded(3 * 1024 * 1024) },
  'a list of 200,000 items': { body: aReview({ options: Array.from({ length: 200_000 }, () => 'x') }) },
  'a review of the maximum size': { body: padded(SERVER_LIMITS.reviewBytes) },
  'a lone surrogate': { body: aReview({ name: '\ud800' }) },
  'duplicate keys (the last one counts)': { body: aReview().replace('"uid":', '"uid":"first","uid":') },
  'a huge and a fractional number': {
    body: aReview({ object: { spec: { replicas: 1e308, more: 0.1 } } }).replace(
      '1e+308',
      '123456789012345678901234567890'
    )
  },
  'an invalid deadline': { path: '/mutate/aimservices?timeout=abc', body: aReview() },
  'a negative deadline': { path: '/mutate/aimservices?timeout=-1s', body: aReview() },
  'two deadlines': { path: '/mutate/aimservices?timeout=1s&timeout=2s', body: aReview() },
  'a prototype as deadline': { path: '/mutate/aimservices?__proto__=1&constructor=2', body: aReview() }
}

t.test('accepts', async (t) => {
  const { client } = await anAdmissionServer(t)
  for (const [name, call] of Object.entries(accepted)) {
    t.test(name, async (t) => {
      t.match(await client.call(call), { status: 200, body: { response: { uid: aRequest()['uid'], allowed: true } } })
    })
  }
})

t.test('rejects a review of one byte too many', async (t) => {
  const { client } = await anAdmissionServer(t)
  const body = padded(SERVER_LIMITS.reviewBytes + 1)
  const transfers = { 'that tells its length': {}, 'in chunks': { 'transfer-encoding': 'chunked' } }
  for (const [name, headers] of Object.entries(transfers)) {
    t.test(name, async (t) => {
      const reply = await client.call({ headers: { ...JSON_TYPE, ...headers }, body })
      t.match(reply, { status: 413, body: { error: /too large/ }, headers: { connection: 'close' } })
      t.match(await client.post(aReview()), { status: 200 }, 'the next review succeeds')
    })
  }
})

const hurried = { headersMs: 150, requestMs: 300, sweepMs: 20 }
const HEAD = headOf()

const slow: Record<string, { sent: string, status: string }> = {
  'a connection that sends nothing': { sent: '', status: '408' },
  'headers that never end': { sent: HEAD, status: '408' },
  'a body shorter than declared': { sent: `${HEAD}content-length: 999\r\n\r\n{"apiVersion"`, status: '408' },
  'a body in chunks that never ends': { sent: `${HEAD}transfer-encoding: chunked\r\n\r\n3\r\n{"a\r\n`, status: '408' }
}

t.test('disconnects clients that take too long', async (t) => {
  const { client } = await anAdmissionServer(t, { limits: hurried })
  for (const [name, { sent, status }] of Object.entries(slow)) {
    t.test(name, async (t) => {
      const socket = await client.connect()
      socket.write(sent)
      const reply = await untilClosed(socket)
      t.match(reply, new RegExp(`^HTTP/1\\.1 ${status} `))
      t.match(reply, '{"error":"the request was not complete in time"}')
    })
  }
})

const odd: Record<string, { sent: string, want: RegExp }> = {
  'not HTTP': { sent: 'hello\r\n\r\n', want: /^HTTP\/1\.1 400 .*\r\nconnection: close\r\n[^]*the request is malformed/ },
  'HTTP/1.1 without a host': { sent: 'GET / HTTP/1.1\r\n\r\n', want: /^HTTP\/1\.1 400 / },
  'both a length and chunks': {
    sent: `${HEAD}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    want: /^HTTP\/1\.1 400 /
  },
  'headers of more than 16 kB': { sent: `${HEAD}x: ${'x'.repeat(16_384)}\r\n\r\n`, want: /^HTTP\/1\.1 431 [^]*the headers are too large/ },
  'HTTP/1.0': {
    sent: rawRequest(aReview()).replace('HTTP/1.1', 'HTTP/1.0'),
    want: /^HTTP\/1\.1 200 [^]*"allowed":true/
  },
  'an absolute target': {
    sent: `${HEAD.replace('/mutate', 'https://localhost/mutate')}connection: close\r\ncontent-length: ${aReview().length}\r\n\r\n${aReview()}`,
    want: /^HTTP\/1\.1 200 [^]*"allowed":true/
  },
  'two requests at once': {
    sent: rawRequest(aReview()) + rawRequest('{}', `${HEAD}connection: close\r\n`),
    want: /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 /
  }
}

t.test('unusual requests get a response, or are refused and closed', async (t) => {
  const { client } = await anAdmissionServer(t)
  for (const [name, { sent, want }] of Object.entries(odd)) {
    t.test(name, async (t) => {
      const socket = await client.connect()
      socket.write(sent)
      t.match(await untilClosed(socket), want)
    })
  }
  t.match(await client.post(aReview()), { status: 200 }, 'other clients are served')
})

t.test('time limits fit those of the API server', async (t) => {
  const { app } = await anAdmissionServer(t)
  t.match(app.server, { keepAliveTimeout: 120_000, headersTimeout: 10_000, requestTimeout: 15_000 })
})
