import { once } from 'node:events'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { checkClient } from '../../../src/server/client-certificate.ts'
import { clientAuthorities } from '../../../certs/pem.ts'
import { swapServingPair } from '../../../src/server/tls.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aTestAuthority, type KeyPair } from '../../support/builders/test-certificates.ts'

const [ours, theirs] = [await aTestAuthority('callers'), await aTestAuthority('others')]
const [apiServer, other, stranger] = [
  await ours.issue('kube-apiserver'),
  await ours.issue('other'),
  await theirs.issue('kube-apiserver')
]

/** Posts a review on a connection of its own. */
async function post (url: string, { cert, key }: Partial<KeyPair>): Promise<{ status: number, body: string }> {
  const call = request(new URL('/mutate/aimservices', url), {
    method: 'POST', headers: { 'content-type': 'application/json' }, ca: testPair.caPem, cert, key, agent: false
  })
  call.end(aReview())
  const [response] = await once(call, 'response') as [IncomingMessage] // what the event carries
  return { status: response.statusCode ?? 0, body: await text(response) }
}

const cases: Record<string, { pair: Partial<KeyPair>, names?: string[], want: { status: number, body: RegExp } }> = {
  'the right CA and name': { pair: apiServer, want: { status: 200, body: /"allowed":true/ } },
  'any name, where none is asked for': { pair: other, names: [], want: { status: 200, body: /"allowed":true/ } },
  'a name of the SAN': { pair: other, names: ['127.0.0.1'], want: { status: 200, body: /"allowed":true/ } },
  'another name': { pair: other, want: { status: 403, body: /has none of the names that are let in/ } },
  'the right name of another CA': {
    pair: stranger,
    want: { status: 403, body: /client certificate is not accepted: (?:UNABLE|SELF|DEPTH)/ }
  },
  'no certificate': { pair: {}, want: { status: 403, body: /shows no client certificate/ } }
}
for (const [name, { pair, names = ['kube-apiserver'], want }] of Object.entries(cases)) {
  t.test(`${name}: ${want.status}`, async (t) => {
    const { url } = await anAdmissionServer(t, { clientCa: ours.cert, clientNames: names })
    t.match(await post(url, pair), want)
  })
}

t.test('without the check, everybody is heard', async (t) => {
  const { url } = await anAdmissionServer(t)
  t.match(await post(url, stranger), { status: 200 })
})

t.test('another CA is asked for from the next handshake on', async (t) => {
  const { url, app } = await anAdmissionServer(t, { clientCa: ours.cert })
  swapServingPair(app.server, { cert: testPair.certPem, key: testPair.keyPem, clientCa: theirs.cert })
  t.match(await post(url, stranger), { status: 200 })
  t.match(await post(url, apiServer), { status: 403 })
})

t.test('a reason is logged at most once a minute, with how often it came', async (t) => {
  const lines: object[] = []
  let now = 0
  const log = { info: () => {}, error: () => {}, warn: (keys: object) => { lines.push(keys) } }
  const check = checkClient({ names: [], log, now: () => now })
  const reply = { header: () => reply, code: () => reply, type: () => reply, send: () => reply }
  const turnAway = (): void => {
    check({ raw: { socket: {}, readableEnded: true } } as never, reply as never, () => { t.fail('it was let in') })
  }
  for (const at of [0, 1_000, 59_999, 60_000]) {
    now = at
    turnAway()
  }
  t.match(lines, [{ turnedAway: 1 }, { turnedAway: 3 }])
  t.equal(lines.length, 2)
})

t.test('what holds no certificate cannot verify anybody', async (t) => {
  t.throws(() => clientAuthorities(apiServer.key, '/a/ca.crt'), {
    message: /^\/a\/ca\.crt cannot verify clients: it holds no certificate; give the PEM/
  })
  t.notOk(
    clientAuthorities(`${apiServer.key}\n${ours.cert}`, '/a/ca.crt').includes('PRIVATE'),
    'only certificates are taken of a file'
  )
})
