import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import {
  issueAuthority, issueServingPair, issueEphemeralPair, validityFrom, type IssuedPair
} from '../../../certs/issue.ts'
import { newCertificates } from '../../../src/app/certificates.ts'
import { serveSettings } from '../../../src/cli/flags/settings.ts'
import { anAdmissionServer } from '../../support/http/admission-server.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { ApiServerClient } from '../../support/cluster/api-server-client.ts'
import { SERVE_FLAGS } from '../../support/programs/serve-flags.ts'
import { until } from '../../support/until.ts'

const NAMES = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }
const pairs = await Promise.all([1, 2, 3].map(async () => await issueEphemeralPair({ ...NAMES, days: 1 })))
const [first, second, third] = pairs as [IssuedPair, IssuedPair, IssuedPair]
const expired = await issueEphemeralPair({ ...NAMES, days: -0.01 })
const TRUSTING_ALL = [...pairs, expired].map(({ caPem }) => caPem)

/** A server with a pair from files. */
async function aServer (t: Test) {
  const folder = t.testdir({})
  const write = (name: string, text: string): void => {
    writeFileSync(path.join(folder, `${name}.new`), text)
    renameSync(path.join(folder, `${name}.new`), path.join(folder, name))
  }
  const swap = ({ certPem, keyPem }: { certPem: string, keyPem: string }): void => {
    write('tls.crt', certPem)
    write('tls.key', keyPem)
  }
  swap(first)
  const server = await anAdmissionServer(t)
  const settings = serveSettings({
    ...SERVE_FLAGS,
    certFile: path.join(folder, 'tls.crt'),
    keyFile: path.join(folder, 'tls.key')
  })
  const certificates = newCertificates(settings, {
    store: undefined,
    webhooks: [],
    metrics: server.metrics,
    log: server.log
  })
  t.teardown(async () => { await certificates.stop() })
  await certificates.start()
  certificates.serveOn(server.app.server)
  const { port } = server.app.server.address() as AddressInfo // of a TCP server that listens
  const errors = async (): Promise<string | undefined> =>
    (await server.metrics.registry.metrics()).match(/^aim_admission_certificate_reload_errors_total (\d+)$/m)?.[1]
  return { ...server, port, swap, write, errors }
}

/** In seconds since 1970. */
function expiryOf ({ certPem }: { readonly certPem: string }): number {
  return new X509Certificate(certPem).validToDate.getTime() / 1_000
}

/** The certificate of a new handshake. Rejects if the handshake fails. */
async function shown (port: number, ca = TRUSTING_ALL): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca })
  await once(socket, 'secureConnect')
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? ''
  socket.destroy()
  return serial
}

const serialOf = ({ certPem }: { certPem: string }): string => new X509Certificate(certPem).serialNumber

t.test('a swap fails no handshake, keeps open connections, and updates the gauge', async (t) => {
  const { port, swap, metricLines } = await aServer(t)
  const client = new ApiServerClient(`https://127.0.0.1:${port}`, first.caPem)
  t.teardown(() => { client.close() })
  t.match(await client.post(aReview()), { status: 200, connection: 1 })
  const ending = new AbortController()
  const seen: string[] = []
  const load = Promise.all([1, 2, 3, 4].map(async () => {
    while (!ending.signal.aborted) seen.push(await shown(port))
  }))
  for (const pair of [second, third]) {
    await until(() => seen.length > 10)
    swap(pair)
    await until(() => seen.at(-1) === serialOf(pair))
  }
  ending.abort()
  await load
  t.strictSame([...new Set(seen)], [first, second, third].map(serialOf))
  t.match(
    await client.post(aReview()),
    { status: 200, connection: 1 },
    'on the connection that was opened with the first pair'
  )
  t.strictSame(await metricLines('aim_admission_certificate_expiry_timestamp_seconds{which="serving"}'),
    [`aim_admission_certificate_expiry_timestamp_seconds{which="serving"} ${expiryOf(third)}`])
})

const broken: Record<string, { certPem: string, keyPem: string }> = {
  'a pair that does not match': { certPem: second.certPem, keyPem: third.keyPem },
  'an expired pair': expired,
  'half a certificate': { certPem: second.certPem.slice(0, 200), keyPem: second.keyPem },
  'an empty key': { certPem: second.certPem, keyPem: '' }
}
for (const [name, pair] of Object.entries(broken)) {
  t.test(`${name} is counted, logged once, and not served; the next valid pair is`, async (t) => {
    const { port, swap, errors, logged } = await aServer(t)
    swap(pair)
    await until(async () => await errors() === '1')
    t.equal(await shown(port), serialOf(first))
    const told = logged().filter((line) => JSON.stringify(line).includes('failed to load changed files'))
    t.match(told, [{ reason: /tls\.crt and .*tls\.key cannot be served/ }])
    t.equal(told.length, 1)
    t.notMatch(JSON.stringify(logged()), /PRIVATE KEY/)
    swap(third)
    await until(async () => await shown(port) === serialOf(third))
  })
}

t.test('a served pair that expires fails only new handshakes, until a valid one is there', async (t) => {
  const { port, swap, url } = await aServer(t)
  const client = new ApiServerClient(url, first.caPem)
  t.teardown(() => { client.close() })
  const now = new Date()
  const authority = await issueAuthority('short', validityFrom(now, 1))
  const notAfter = new Date(Math.ceil(now.getTime() / 1_000) * 1_000 + 2_000) // certificates have whole seconds
  const pair = await issueServingPair(authority, { names: ['localhost', '127.0.0.1'], notBefore: now, notAfter })
  const shows = async (): Promise<string> => await shown(port, [authority.certPem, ...TRUSTING_ALL]).catch(String)
  t.equal((await client.post(aReview())).status, 200)
  swap(pair)
  await until(async () => await shows() === serialOf(pair))
  await until(async () => (await shows()).includes('expired'))
  t.match(await client.post(aReview()), { status: 200, connection: 1 }, 'the open connection stays usable')
  swap(second)
  await until(async () => await shows() === serialOf(second))
})
