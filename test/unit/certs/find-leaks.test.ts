import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { findLeaks } from '../../support/docs/find-leaks.ts'

const { keyPem, certPem } = await issueEphemeralPair({ dnsNames: ['localhost'], ipAddresses: [], days: 1 })
const secrets = { 'the serving key': keyPem, 'a password': 'correct-horse-battery' }

const leaks: Record<string, { text: string, want: RegExp }> = {
  'a private key': { text: keyPem, want: /holds a private key.*holds the serving key/ },
  'one line of a private key': { text: `{"key":"${keyPem.split('\n')[1]}"}`, want: /^a log holds the serving key$/ },
  'a foreign private key': { text: '-----BEGIN RSA PRIVATE KEY-----\nAAAA', want: /^a log holds a private key$/ },
  'base64 of a private key': {
    text: Buffer.from(keyPem).toString('base64'),
    want: /base64 of a private key.*the serving key/
  },
  'base64 with a key at offset 1': {
    text: Buffer.from(`x${keyPem}`).toString('base64'),
    want: /base64 of a private key/
  },
  'base64 with a key at offset 2': {
    text: Buffer.from(`xy${keyPem}`).toString('base64'),
    want: /base64 of a private key/
  },
  'a password': { text: 'password=correct-horse-battery', want: /^a log holds a password$/ },
  'base64 of a password': {
    text: Buffer.from('correct-horse-battery').toString('base64'),
    want: /^a log holds a password$/
  }
}
for (const [name, { text, want }] of Object.entries(leaks)) {
  t.test(`finds ${name}`, async (t) => { t.match(findLeaks({ 'a log': text }, secrets).join(', '), want) })
}

t.test('a certificate and the name of a Secret are no leaks', async (t) => {
  t.strictSame(
    findLeaks(
      { 'a log': `${certPem} ${Buffer.from(certPem).toString('base64')} imagePullSecrets: registry-credentials` },
      secrets
    ),
    []
  )
})
