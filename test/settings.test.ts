import t from 'tap'
import { reconcileSettings, serveSettings } from '../src/settings.ts'

const FLAGS = {
  host: '127.0.0.1',
  port: '8443',
  probePort: '8080',
  missingConfig: 'warn',
  failurePolicy: 'Fail',
  logLevel: 'info',
  namespace: 'aim-system',
  rolloutRate: '150',
  rolloutConcurrency: '2',
  rolloutFailureLimit: '3'
}

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

t.test('a reconciler has settings only where it runs', async (t) => {
  t.equal(serveSettings(FLAGS).reconciler, undefined)
  t.strictSame(serveSettings({ ...FLAGS, withReconciler: true }).reconciler, { namespace: 'aim-system', rate: 150, concurrency: 2, failureLimit: 3 })
  t.strictSame(reconcileSettings(FLAGS).reconciler, { namespace: 'aim-system', rate: 150, concurrency: 2, failureLimit: 3 })
  t.throws(() => reconcileSettings({ ...FLAGS, rolloutRate: '0', rolloutConcurrency: 'x', rolloutFailureLimit: '-1' }), {
    message: '--rollout-rate is a whole number from 1 to 10000, not "0"; --rollout-concurrency is a whole number from 1 to 100, not "x"; ' +
      '--rollout-failure-limit is a whole number from 1 to 100000, not "-1"'
  })
  t.throws(() => serveSettings({ ...FLAGS, manifests: 'a', withReconciler: true }), { message: /--manifests and --with-reconciler exclude each other/ })
})
