import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { findLeaks } from '../../support/docs/find-leaks.ts'

const { keyPem, certPem } = await issueEphemeralPair({ dnsNames: ['localhost'], ipAddresses: [], days: 1 })
const secrets = { 'the serving key': keyPem, 'a password': 'correct-horse-battery' }

const leaks: Record<string, { text: string, want: RegExp }> = {
  'a key as it is': { text: keyPem, want: /holds a private key.*holds the serving key/ },
  'a line of it': { text: `{"key":"${keyPem.split('\n')[1]}"}`, want: /^a log holds the serving key$/ },
  'a key of somebody else': { text: '-----BEGIN RSA PRIVATE KEY-----\nAAAA', want: /^a log holds a private key$/ },
  'the base64 of a key': {
    text: Buffer.from(keyPem).toString('base64'),
    want: /base64 of a private key.*the serving key/
  },
  'the base64 of something with a key in it': {
    text: Buffer.from(`x${keyPem}`).toString('base64'),
    want: /base64 of a private key/
  },
  'the same, one further': { text: Buffer.from(`xy${keyPem}`).toString('base64'), want: /base64 of a private key/ },
  'a password': { text: 'password=correct-horse-battery', want: /^a log holds a password$/ },
  'its base64': { text: Buffer.from('correct-horse-battery').toString('base64'), want: /^a log holds a password$/ }
}
for (const [name, { text, want }] of Object.entries(leaks)) {
  t.test(`${name} is found`, async (t) => { t.match(findLeaks({ 'a log': text }, secrets).join(', '), want) })
}

t.test('a certificate, and what names a Secret, are none', async (t) => {
  t.strictSame(
    findLeaks(
      { 'a log': `${certPem} ${Buffer.from(certPem).toString('base64')} imagePullSecrets: registry-credentials` },
      secrets
    ),
    []
  )
})
