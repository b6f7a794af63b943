import { once } from 'node:events'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { clientAuthorities } from '../../../certs/certificate-set.ts'
import { checkClient, tlsOptions } from '../../../src/server/tls.ts'
import { limitedLog } from '../../../src/telemetry/decision-log.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aTestAuthority, type KeyPair } from '../../support/builders/test-certificates.ts'

const [ours, theirs] = [await aTestAuthority('clients'), await aTestAuthority('others')]
const [apiServer, other, stranger] = [
  await ours.issue('kube-apiserver'),
  await ours.issue('other'),
  await theirs.issue('kube-apiserver')
]

/** Posts a review on a new connection. */
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
  'any name, if no names are given': { pair: other, names: [], want: { status: 200, body: /"allowed":true/ } },
  'a subject alternative name': { pair: other, names: ['127.0.0.1'], want: { status: 200, body: /"allowed":true/ } },
  'another name': { pair: other, want: { status: 403, body: /has none of the accepted names/ } },
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

t.test('accepts any client without the check', async (t) => {
  const { url } = await anAdmissionServer(t)
  t.match(await post(url, stranger), { status: 200 })
})

t.test('a swapped client CA applies from the next handshake', async (t) => {
  const { url, app } = await anAdmissionServer(t, { clientCa: ours.cert })
  app.server.setSecureContext(tlsOptions({ cert: testPair.certPem, key: testPair.keyPem, clientCa: theirs.cert }))
  t.match(await post(url, stranger), { status: 200 })
  t.match(await post(url, apiServer), { status: 403 })
})

t.test('limits the log lines of rejected clients, and counts the rest', async (t) => {
  const lines: object[] = []
  const clock = new ManualClock()
  const log = { info: () => {}, error: () => {}, warn: (keys: object) => { lines.push(keys) } }
  const check = checkClient({ names: [], log: limitedLog(log, clock) })
  const reply = { header: () => reply, code: () => reply, type: () => reply, send: () => reply }
  const reject = (): void => {
    check({ raw: { socket: {}, readableEnded: true } } as never, reply as never, () => { t.fail('accepted') })
  }
  for (let time = 0; time < 50; time++) reject()
  t.equal(lines.length, 20)
  clock.pass(10_000)
  reject()
  t.match(lines.at(-1), { reason: 'the client does not use TLS', leftOut: 30 })
})

t.test('rejects a client CA file without a certificate', async (t) => {
  t.throws(() => clientAuthorities(apiServer.key, '/a/ca.crt'), {
    message: /^\/a\/ca\.crt cannot verify clients: it holds no certificate; give the PEM/
  })
  t.notOk(
    clientAuthorities(`${apiServer.key}\n${ours.cert}`, '/a/ca.crt').includes('PRIVATE'),
    'a private key in the file is dropped'
  )
})
