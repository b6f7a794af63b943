import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { checkServingPair } from '../../../certs/certificate-set.ts'
import { tlsOptions } from '../../../src/server/tls.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'

const other = await issueEphemeralPair({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], days: 1 })
const expired = await issueEphemeralPair({ dnsNames: ['localhost'], ipAddresses: [], days: -0.01 })
const HOUR = 60 * 60 * 1_000

t.test('the ephemeral pair', async (t) => {
  const pair = await issueEphemeralPair({
    dnsNames: ['localhost', 'webhook.aim.svc'],
    ipAddresses: ['127.0.0.1', '::1'],
    days: 30
  })
  const [ca, leaf] = [new X509Certificate(pair.caPem), new X509Certificate(pair.certPem)]
  t.test('is a CA and a certificate issued by it', async (t) => {
    const [signed, self] = [leaf.verify(ca.publicKey), ca.verify(ca.publicKey)]
    t.match({ ca: ca.ca, leaf: leaf.ca, issued: leaf.checkIssued(ca), signed, self },
      { ca: true, leaf: false, issued: true, signed: true, self: true })
    t.not(leaf.serialNumber, ca.serialNumber)
  })
  t.test('names every requested host and address', async (t) => {
    const [dns, none] = [leaf.checkHost('webhook.aim.svc'), leaf.checkHost('other.svc')]
    t.match({ dns, v4: leaf.checkIP('127.0.0.1'), v6: leaf.checkIP('::1'), none },
      { dns: 'webhook.aim.svc', v4: '127.0.0.1', v6: '::1', none: undefined })
  })
  t.test('uses P-256, is valid only for servers, from an hour ago until its end', async (t) => {
    t.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
    t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'])
    for (const certificate of [ca, leaf]) {
      t.ok(Math.abs(certificate.validFromDate.getTime() - Date.now() + HOUR) < HOUR / 2)
      t.ok(Math.abs(certificate.validToDate.getTime() - Date.now() - 30 * 24 * HOUR) < HOUR / 2)
    }
  })
})

const unusable: Record<string, { cert: string, key: string, why: RegExp }> = {
  'a key of another certificate': {
    cert: testPair.certPem,
    key: other.keyPem,
    why: /key does not match the certificate/
  },
  'an expired certificate': { cert: expired.certPem, key: expired.keyPem, why: /expired on 20/ },
  'no certificate': { cert: 'nonsense', key: testPair.keyPem, why: /cannot be served/ },
  'no key': { cert: testPair.certPem, key: '', why: /cannot be served/ },
  'a broken certificate behind the first': {
    cert: `${testPair.certPem}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, key: testPair.keyPem, why: /cannot be served/
  }
}

for (const [name, { cert, key, why }] of Object.entries(unusable)) {
  t.test(`rejects ${name} in one line that names the pair`, async (t) => {
    t.throws(() => checkServingPair({ certPem: cert, keyPem: key }, 'the pair a.crt and a.key'), { message: why })
    t.throws(() => checkServingPair({ certPem: cert, keyPem: key }, 'the pair a.crt and a.key'), {
      message: /^the pair a\.crt and a\.key cannot be served: .*; give the PEM/
    })
  })
}

/** The serial number of the server's certificate after a handshake, or the code of its error. */
async function handshake (port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: testPair.caPem, ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerX509Certificate()?.serialNumber ?? ''
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? ''
  } finally {
    socket.destroy()
  }
}

const serialOf = ({ certPem }: { certPem: string }) => new X509Certificate(certPem).serialNumber

t.test('handshakes', async (t) => {
  const { app } = await anAdmissionServer(t)
  const { port } = app.server.address() as AddressInfo // of a TCP server that listens

  const cases: Record<string, { options?: ConnectionOptions, want: string | RegExp }> = {
    'TLS 1.3': { want: serialOf(testPair) },
    'TLS 1.2': { options: { maxVersion: 'TLSv1.2' }, want: serialOf(testPair) },
    'rejects TLS 1.1': {
      options: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      want: /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/
    },
    'rejects null ciphers': {
      options: { maxVersion: 'TLSv1.2', ciphers: 'eNULL:@SECLEVEL=0' },
      want: /HANDSHAKE_FAILURE|NO_CIPHER/
    },
    'rejects HTTP/2': { options: { ALPNProtocols: ['h2'] }, want: /NO_APPLICATION_PROTOCOL/ },
    'a client that does not trust the CA': {
      options: { ca: other.caPem },
      want: /SELF_SIGNED|UNABLE_TO_VERIFY|CERT_SIGNATURE_FAILURE/
    },
    'a client that expects another name': { options: { servername: 'other.svc' }, want: 'ERR_TLS_CERT_ALTNAME_INVALID' }
  }
  for (const [name, { options, want }] of Object.entries(cases)) {
    t.test(name, async (t) => { t.match(await handshake(port, options), want) })
  }

  t.test('drops a handshake that never starts', async (t) => {
    const hasty = await anAdmissionServer(t, { limits: { handshakeMs: 100 } })
    const socket = connectTcp((hasty.app.server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'close')
    t.pass('closed')
  })

  t.test('plain HTTP gets no response', async (t) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {})
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => { chunks.push(chunk) })
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(socket, 'close')
    t.notMatch(Buffer.concat(chunks).toString('latin1'), /HTTP\//)
  })

  t.test('swaps in only a matching pair, from the next handshake, and still rejects TLS 1.1', async (t) => {
    t.throws(() => { app.server.setSecureContext(tlsOptions({ cert: other.certPem, key: testPair.keyPem })) })
    t.equal(await handshake(port), serialOf(testPair))
    app.server.setSecureContext(tlsOptions({ cert: other.certPem, key: other.keyPem }))
    t.equal(await handshake(port, { ca: other.caPem }), serialOf(other))
    t.match(
      await handshake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/
    )
  })
})
