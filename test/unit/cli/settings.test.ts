import t from 'tap'
import { reconcileSettings, serveSettings } from '../../../src/cli/flags/settings.ts'
import { SERVE_FLAGS as FLAGS } from '../../support/programs/serve-flags.ts'

t.test('flags become frozen settings', async (t) => {
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

t.test('reports every problem at once', async (t) => {
  const invalid = {
    port: '70000',
    probePort: 'x',
    missingConfig: 'maybe',
    failurePolicy: 'fail',
    logLevel: 'loud',
    logFormat: 'xml',
    certFile: 'a',
    manifests: 'b',
    kubeconfig: 'c'
  }
  t.throws(() => serveSettings({ ...FLAGS, ...invalid }), {
    message: '--manifests and --kubeconfig exclude each other; give one of them; ' +
      '--probe-port must be a whole number from 0 to 65535, not "x"; ' +
      '--log-level must be one of debug, info, warn, error, not "loud"; ' +
      '--log-format must be one of json, text, not "xml"; ' +
      '--port must be a whole number from 0 to 65535, not "70000"; ' +
      '--cert-file and --key-file belong together; give both or neither; ' +
      '--missing-config must be one of warn, refuse, not "maybe"; ' +
      '--failure-policy must be one of Fail, Ignore, not "fail"'
  })
})

t.test('a duration needs a unit, and has bounds', async (t) => {
  for (const drainMin of ['10', '-1s', '1h', '21s', '1.5s', '5constructor']) {
    t.throws(() => serveSettings({ ...FLAGS, drainMin }), {
      message: `--drain-min must be a duration from 0s to 20s, such as 500ms or 3s, not "${drainMin}"`
    })
  }
})

t.test('records need a folder, and have bounds in size and number', async (t) => {
  t.equal(serveSettings(FLAGS).record, undefined)
  t.strictSame(serveSettings({ ...FLAGS, record: 'reviews' }).record, {
    folder: 'reviews',
    fileBytes: 16 * 1024 * 1024,
    files: 8
  })
  t.throws(() => serveSettings({ ...FLAGS, record: 'reviews', recordFileSize: '1025', recordFiles: '0' }), {
    message:
      '--record-file-size must be a whole number from 1 to 1024, not "1025"; ' +
      '--record-files must be a whole number from 1 to 1000, not "0"'
  })
})

t.test('the reconciler has settings only in its process', async (t) => {
  t.equal(serveSettings(FLAGS).reconciler, undefined)
  const settings = {
    namespace: 'aim-system',
    leaseSeconds: 15,
    rate: Infinity,
    concurrency: 64,
    failureLimit: 3,
    metricNames: 'shown',
    probe: { interval: 30_000, namespace: 'default' }
  }
  t.strictSame(serveSettings({ ...FLAGS, withReconciler: true }).reconciler, settings)
  t.strictSame(reconcileSettings(FLAGS).reconciler, settings)
  t.equal(reconcileSettings({ ...FLAGS, rolloutRate: '150' }).reconciler.rate, 150)
  const invalid = {
    leaseDuration: '2', rolloutRate: '0', rolloutConcurrency: 'x', rolloutFailureLimit: '-1', metricNames: 'none'
  }
  t.throws(() => reconcileSettings({ ...FLAGS, ...invalid }), {
    message: '--lease-duration must be a whole number from 3 to 300, not "2"; ' +
      '--rollout-rate must be a whole number from 1 to 10000, not "0"; ' +
      '--rollout-concurrency must be a whole number from 1 to 100, not "x"; ' +
      '--rollout-failure-limit must be a whole number from 1 to 100000, not "-1"; ' +
      '--metric-names must be one of shown, hidden, not "none"'
  })
  t.throws(() => serveSettings({ ...FLAGS, manifests: 'a', withReconciler: true }), {
    message: /--manifests and --with-reconciler exclude each other/
  })
})

const sources: Record<string, { flags: object, want: object }> = {
  'certificates are self-managed in a cluster': {
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
  'the Service can be in another namespace': {
    flags: { serviceName: 'aim', serviceNamespace: 'edge' },
    want: { names: ['aim.edge.svc', 'aim.edge.svc.cluster.local'] }
  },
  'certificates are ephemeral for a folder': { flags: { manifests: 'a' }, want: { kind: 'ephemeral' } },
  'certificates can be ephemeral in a cluster': { flags: { certificates: 'ephemeral' }, want: { kind: 'ephemeral' } },
  'certificate files take precedence': {
    flags: { manifests: 'a', certFile: 'b', keyFile: 'c' },
    want: { kind: 'files', certFile: 'b', keyFile: 'c' }
  }
}
for (const [name, { flags, want }] of Object.entries(sources)) {
  t.test(name, async (t) => { t.match(serveSettings({ ...FLAGS, ...flags }).certificates, want) })
}

const contradictory: Record<string, { flags: object, want: string }> = {
  '--certificates files without files': {
    flags: { certificates: 'files' },
    want: '--certificates files needs --cert-file and --key-file'
  },
  'files with another source': {
    flags: { certificates: 'self-managed', certFile: 'a', keyFile: 'b' },
    want: '--certificates self-managed and --cert-file exclude each other; give one of them'
  },
  'a Secret in a folder': {
    flags: { certificates: 'self-managed', manifests: 'a' },
    want: '--certificates self-managed and --manifests exclude each other: a folder stores no Secret'
  },
  'an unknown source': {
    flags: { certificates: 'none' },
    want: '--certificates must be one of self-managed, files, ephemeral, not "none"'
  },
  'a certificate that outlives the renewal of its CA': {
    flags: { caDays: '90', certDays: '31' },
    want: '--cert-days must be a whole number from 1 to 30, not "31"'
  },
  'client names without a CA': {
    flags: { clientName: ['a'] },
    want: '--client-name needs --client-ca-file, which verifies client certificates'
  }
}
for (const [name, { flags, want }] of Object.entries(contradictory)) {
  t.test(`rejects ${name}`, async (t) => { t.throws(() => serveSettings({ ...FLAGS, ...flags }), { message: want }) })
}

t.test('clients have a CA and names', async (t) => {
  t.strictSame(serveSettings({ ...FLAGS, clientCaFile: 'a', clientName: ['b'] }).clients, { caFile: 'a', names: ['b'] })
})

t.test('--inject is a list, in any order', async (t) => {
  t.equal(serveSettings({ ...FLAGS, inject: 'record' }).pathPolicy.inject, 'record')
  for (const inject of ['fields', 'record,fields', 'fields,record']) {
    t.equal(serveSettings({ ...FLAGS, inject }).pathPolicy.inject, 'record,fields')
  }
  for (const inject of ['', 'record,', 'field']) {
    t.throws(() => serveSettings({ ...FLAGS, inject }), {
      message: `--inject must be a list of record, fields, not "${inject}"`
    })
  }
})
