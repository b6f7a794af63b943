import t from 'tap'
import { reconcileSettings, serveSettings } from '../../../src/cli/flags/settings.ts'
import { SERVE_FLAGS as FLAGS } from '../../support/programs/serve-flags.ts'

t.test('flags become settings that nobody can change', async (t) => {
  const settings = serveSettings({ ...FLAGS, certFile: 'a', keyFile: 'b' })
  t.match(settings, {
    port: 8443,
    probePort: 8080,
    certificates: { kind: 'files', certFile: 'a', keyFile: 'b' },
    clients: undefined,
    missingConfig: 'warn',
    drain: { min: 10_000, quiet: 500 }
  })
  t.ok(Object.isFrozen(settings))
})

t.test('every problem is told at once', async (t) => {
  t.throws(() => serveSettings({ ...FLAGS, port: '70000', probePort: 'x', missingConfig: 'maybe', failurePolicy: 'fail', logLevel: 'loud', certFile: 'a', manifests: 'b', kubeconfig: 'c' }), {
    message: '--manifests and --kubeconfig exclude each other; give one of them; ' +
      '--port is a whole number from 0 to 65535, not "70000"; --probe-port is a whole number from 0 to 65535, not "x"; ' +
      '--cert-file and --key-file belong together; give both or neither; ' +
      '--missing-config is one of warn, refuse, not "maybe"; --failure-policy is one of Fail, Ignore, not "fail"; --log-level is one of debug, info, warn, error, not "loud"'
  })
})

t.test('a time needs a unit, and is not beyond its bounds', async (t) => {
  for (const drainMin of ['10', '-1s', '1h', '21s', '1.5s', '5constructor']) {
    t.throws(() => serveSettings({ ...FLAGS, drainMin }), {
      message: `--drain-min is a time from 0s to 20s, such as 500ms or 3s, not "${drainMin}"`
    })
  }
})

t.test('records are bounded in size and number, and there are none where no folder is given', async (t) => {
  t.equal(serveSettings(FLAGS).record, undefined)
  t.strictSame(serveSettings({ ...FLAGS, record: 'reviews' }).record, {
    folder: 'reviews',
    fileBytes: 16 * 1024 * 1024,
    files: 8
  })
  t.throws(() => serveSettings({ ...FLAGS, record: 'reviews', recordFileSize: '1025', recordFiles: '0' }), {
    message:
      '--record-file-size is a whole number from 1 to 1024, not "1025"; --record-files is a whole number from 1 to 1000, not "0"'
  })
})

t.test('a reconciler has settings only where it runs', async (t) => {
  t.equal(serveSettings(FLAGS).reconciler, undefined)
  const settings = {
    namespace: 'aim-system',
    leaseSeconds: 15,
    rate: 150,
    concurrency: 2,
    failureLimit: 3,
    probe: { interval: 30_000, namespace: 'default' }
  }
  t.strictSame(serveSettings({ ...FLAGS, withReconciler: true }).reconciler, settings)
  t.strictSame(reconcileSettings(FLAGS).reconciler, settings)
  t.throws(() => reconcileSettings({ ...FLAGS, leaseDuration: '2', rolloutRate: '0', rolloutConcurrency: 'x', rolloutFailureLimit: '-1' }), {
    message: '--lease-duration is a whole number from 3 to 300, not "2"; --rollout-rate is a whole number from 1 to 10000, not "0"; --rollout-concurrency is a whole number from 1 to 100, not "x"; ' +
      '--rollout-failure-limit is a whole number from 1 to 100000, not "-1"'
  })
  t.throws(() => serveSettings({ ...FLAGS, manifests: 'a', withReconciler: true }), {
    message: /--manifests and --with-reconciler exclude each other/
  })
})

const ways: Record<string, { flags: object, want: object }> = {
  'in a cluster the certificates are the program\'s own': {
    flags: { certName: ['127.0.0.1'] },
    want: {
      kind: 'self-managed',
      secret: { namespace: 'aim-system', name: 'aim-admission-tls' },
      configuration: 'aim-admission',
      names: ['aim-admission.aim-system.svc', 'aim-admission.aim-system.svc.cluster.local', '127.0.0.1'],
      caDays: 365,
      certDays: 30,
      settleSeconds: 30
    }
  },
  'the Service may be in another namespace': {
    flags: { serviceName: 'aim', serviceNamespace: 'edge' },
    want: { names: ['aim.edge.svc', 'aim.edge.svc.cluster.local'] }
  },
  'a folder gets a throw-away pair': { flags: { manifests: 'a' }, want: { kind: 'throw-away' } },
  'a cluster may have one, too': { flags: { certificates: 'throw-away' }, want: { kind: 'throw-away' } },
  'files go before both': {
    flags: { manifests: 'a', certFile: 'b', keyFile: 'c' },
    want: { kind: 'files', certFile: 'b', keyFile: 'c' }
  }
}
for (const [name, { flags, want }] of Object.entries(ways)) {
  t.test(name, async (t) => { t.match(serveSettings({ ...FLAGS, ...flags }).certificates, want) })
}

const contradictory: Record<string, { flags: object, want: string }> = {
  'files that are not named': {
    flags: { certificates: 'files' },
    want: '--certificates files needs --cert-file and --key-file'
  },
  'files and another way': {
    flags: { certificates: 'self-managed', certFile: 'a', keyFile: 'b' }, want: '--certificates self-managed and --cert-file exclude each other; give one of them'
  },
  'a Secret in a folder': {
    flags: { certificates: 'self-managed', manifests: 'a' }, want: '--certificates self-managed and --manifests exclude each other; a folder keeps no Secret'
  },
  'a way that does not exist': {
    flags: { certificates: 'none' },
    want: '--certificates is one of self-managed, files, throw-away, not "none"'
  },
  'a certificate that would outlive the renewal of its CA': {
    flags: { caDays: '90', certDays: '31' },
    want: '--cert-days is a whole number from 1 to 30, not "31"'
  },
  'names of callers who are not verified': {
    flags: { clientName: ['a'] }, want: '--client-name is given without --client-ca-file, by whose certificates callers are verified'
  }
}
for (const [name, { flags, want }] of Object.entries(contradictory)) {
  t.test(`${name} cannot be`, async (t) => { t.throws(() => serveSettings({ ...FLAGS, ...flags }), { message: want }) })
}

t.test('callers are let in by a CA and names', async (t) => {
  t.strictSame(serveSettings({ ...FLAGS, clientCaFile: 'a', clientName: ['b'] }).clients, { caFile: 'a', names: ['b'] })
})
