import t from 'tap'
import { serveSettings } from '../src/settings.ts'

const FLAGS = { host: '127.0.0.1', port: '8443', probePort: '8080', missingConfig: 'warn', failurePolicy: 'Fail', logLevel: 'info' }

t.test('flags become settings that nobody can change', async (t) => {
  const settings = serveSettings({ ...FLAGS, certFile: 'a', keyFile: 'b' })
  t.match(settings, { port: 8443, probePort: 8080, pair: { certFile: 'a', keyFile: 'b' }, missingConfig: 'warn' })
  t.ok(Object.isFrozen(settings))
})

t.test('every problem is told at once', async (t) => {
  t.throws(() => serveSettings({ ...FLAGS, port: '70000', probePort: 'x', missingConfig: 'maybe', failurePolicy: 'fail', logLevel: 'loud', certFile: 'a', manifests: 'b', kubeconfig: 'c' }), {
    message: '--manifests and --kubeconfig exclude each other; give one of them; --cert-file and --key-file belong together; give both or neither; ' +
      '--port is a whole number from 0 to 65535, not "70000"; --probe-port is a whole number from 0 to 65535, not "x"; ' +
      '--missing-config is one of warn, refuse, not "maybe"; --failure-policy is one of Fail, Ignore, not "fail"; --log-level is one of debug, info, warn, error, not "loud"'
  })
})
