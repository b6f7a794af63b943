import t from 'tap'
import { GROUP, VERSION } from '../../../src/api/meta.ts'
import type { ApiResponse } from '../../../src/kube/client/api-connection.ts'
import { ServedDefinitions } from '../../../src/kube/watch/served-definitions.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { apiResponse } from '../../support/fakes/api-response.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'

const PATH = `/openapi/v3/apis/${GROUP}/${VERSION}`

/** Definitions of AIMService with these fields of its spec, in the API server's OpenAPI document. */
function aDocument (fields: readonly string[], { hasStatus = true, group = GROUP } = {}): JsonObject {
  const spec = { type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) }
  const schema = {
    type: 'object',
    properties: { spec, status: { type: 'object', properties: { own: { type: 'string' } } } },
    'x-kubernetes-group-version-kind': [{ group, kind: 'AIMService', version: VERSION }]
  }
  const path = `/apis/${GROUP}/${VERSION}/namespaces/{namespace}/aimservices/{name}`
  return { paths: { [path]: {}, ...(hasStatus && { [`${path}/status`]: {} }) }, components: { schemas: { schema } } }
}

/** Definitions that are read from these responses, one after the other, the last one again and again. */
function reading (...responses: ReadonlyArray<() => ApiResponse>) {
  const requests: Array<{ readonly path: string, readonly etag: string | undefined }> = []
  const lines: string[] = []
  const log = (_keys: object, message: string): void => { lines.push(message) }
  const clock = new ManualClock()
  const definitions = new ServedDefinitions({
    clock,
    log: { info: log, warn: log, error: log },
    request: async (path, options) => {
      const respond = responses[Math.min(requests.length, responses.length - 1)]
      requests.push({ path, etag: options?.headers?.['if-none-match'] })
      if (respond === undefined) throw new Error('no response')
      return respond()
    }
  })
  let changes = 0
  definitions.onChange(() => { changes++ })
  return { definitions, clock, requests, lines, changes: () => changes }
}

const served = (etag: string, ...fields: string[]) => () => apiResponse(200, aDocument(fields), { etag })
const unchanged = () => apiResponse(304)
const has = ({ service }: ServedDefinitions, field: string) => service.has('spec', field)

t.test('until it is read, AIMService has every field', async (t) => {
  const { definitions } = reading(() => apiResponse(404))
  await definitions.refresh()
  t.ok(has(definitions, 'any'))
  t.equal(definitions.service.shapeOf(['spec', 'any']).kind, 'unknown')
})

t.test('asks for a changed document only', async (t) => {
  const { definitions, requests, changes } = reading(served('"a"', 'one'), unchanged, served('"b"', 'two'), unchanged)
  for (let time = 0; time < 2; time++) {
    await definitions.refresh()
    t.strictSame([has(definitions, 'one'), has(definitions, 'two')], [true, false])
  }
  t.equal(changes(), 0, 'the first reading is no change')
  for (let time = 0; time < 2; time++) {
    await definitions.refresh()
    t.strictSame([has(definitions, 'one'), has(definitions, 'two')], [false, true])
    t.equal(changes(), 1)
  }
  t.strictSame(requests, ['', '"a"', '"a"', '"b"'].map((etag) => ({ path: PATH, etag })))
  t.strictSame(definitions.service.shapeOf(['spec']), { kind: 'object', names: ['two'] })
})

t.test('measures the time since the last change, but not since the first reading', async (t) => {
  const { definitions, clock } = reading(served('"a"', 'one'), served('"b"', 'one'), served('"c"', 'two'))
  for (let time = 0; time < 2; time++) {
    await definitions.refresh()
    t.equal(definitions.sinceChange(), Infinity, 'the same fields are no change')
  }
  await definitions.refresh()
  clock.elapse(7)
  t.equal(definitions.sinceChange(), 7)
})

t.test('has a status only where the definition has the subresource', async (t) => {
  const { definitions } = reading(
    () => apiResponse(200, aDocument([])), () => apiResponse(200, aDocument([], { hasStatus: false }))
  )
  await definitions.refresh()
  t.ok(definitions.service.has('status', 'own'))
  await definitions.refresh()
  t.notOk(definitions.service.has('status', 'own'))
})

const unreadable: Readonly<Record<string, () => ApiResponse>> = {
  'a document that is not JSON': () => {
    const { body, ...response } = apiResponse(200, {}, { etag: '"b"' })
    return { ...response, body: Object.assign(body, { text: async () => '{"components":' }) }
  },
  'a document that breaks off': () => {
    const { body, ...response } = apiResponse(200, {}, { etag: '"b"' })
    return { ...response, body: Object.assign(body, { text: async () => await Promise.reject(new Error('reset')) }) }
  },
  'a refusal': () => apiResponse(403, { message: 'forbidden' }),
  'no response': () => { throw new Error('connection refused') }
}
for (const [name, response] of Object.entries(unreadable)) {
  t.test(`${name} keeps the definitions, and is read again`, async (t) => {
    const { definitions, requests, lines, changes } = reading(served('"a"', 'one'), response, served('"b"', 'two'))
    for (let time = 0; time < 2; time++) await definitions.refresh()
    t.ok(has(definitions, 'one'))
    t.equal(changes(), 0)
    t.match(lines, [/^failed to read served definitions/])
    await definitions.refresh()
    t.ok(has(definitions, 'two'))
    t.equal(requests[2]?.etag, '"a"', 'the unread document is not taken for known')
  })
}

t.test('a document without the kinds keeps the definitions', async (t) => {
  const others = () => apiResponse(200, aDocument(['two'], { group: 'example.com' }))
  const { definitions, changes } = reading(served('"a"', 'one'), others)
  for (let time = 0; time < 2; time++) await definitions.refresh()
  t.strictSame([has(definitions, 'one'), changes()], [true, 0])
})

t.test('concurrent refreshes are one request', async (t) => {
  const { definitions, requests } = reading(served('"a"', 'one'))
  await Promise.all([definitions.refresh(), definitions.refresh()])
  t.equal(requests.length, 1)
})

t.test('a lasting failure is logged once', async (t) => {
  const { definitions, lines } = reading(() => apiResponse(403, { message: 'forbidden' }))
  for (let time = 0; time < 3; time++) await definitions.refresh()
  t.equal(lines.length, 1)
})

t.test('reads every two seconds, and reports the first response once', async (t) => {
  const { definitions, clock, requests } = reading(
    () => { throw new Error('connection refused') }, served('"a"', 'one'), unchanged
  )
  let reports = 0
  definitions.start(() => { reports++ })
  for (const expected of [0, 1, 1]) {
    await until(() => clock.pending === 1)
    t.equal(reports, expected)
    clock.pass(2_000)
  }
  await until(() => clock.pending === 1)
  t.equal(requests.length, 4)
  await definitions.stop()
  t.equal(clock.pending, 0)
})
