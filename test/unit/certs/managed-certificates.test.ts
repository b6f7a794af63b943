import t, { type Test } from 'tap'
import { X509Certificate } from 'node:crypto'
import { certificatesOf, readCertificateSet, type CertificateSet } from '../../../certs/certificate-set.ts'
import { ManagedCertificates } from '../../../certs/managed-certificates.ts'
import { FakeObjectStore } from '../../support/fakes/fake-object-store.ts'
import { NAME } from '../../support/builders/certificate-sets.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const SECRET = '/api/v1/namespaces/aim-system/secrets/aim-admission-tls'
const CONFIGURATIONS = ['mutating', 'validating'].map(
  (kind) => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/aim-admission`
)
const [MUTATING = '', VALIDATING = ''] = CONFIGURATIONS
const SETTLE = 5_000

interface Replica { readonly certificates: ManagedCertificates, served: CertificateSet | undefined, unusable: number }

/** Replicas over one store with a manual clock. */
class TestWorld {
  readonly store = new FakeObjectStore()
  readonly clock = new ManualClock()
  readonly replicas: Replica[] = []
  readonly lines: string[] = []
  /** Whether a replica has served a certificate that a webhook did not trust yet. */
  tooSoon = false
  readonly #log = (keys: object, message: string): void => { this.lines.push(`${message} ${JSON.stringify(keys)}`) }

  /** Offset of the wall clock of all replicas, in milliseconds. */
  wallOffset = 0

  /** Starts a replica; `skew` is the error of its wall clock, in milliseconds. */
  start (skew = 0): Replica {
    const replica: Replica = {
      served: undefined,
      unusable: 0,
      certificates: new ManagedCertificates({
        store: this.store,
        objects: {
          secret: { namespace: 'aim-system', name: 'aim-admission-tls' },
          configuration: 'aim-admission',
          webhookNames: new Set(['ours'])
        },
        policy: { names: [NAME], caDays: 365, certDays: 30, settle: SETTLE },
        serve: (set) => {
          replica.served = set
          this.tooSoon ||= this.failures().length > 0
        },
        probeServingCert: async (_address, caPem) => this.replicas.every(({ served }) => served?.ca.certPem === caPem)
          ? { kind: 'verified', notAfter: new Date() }
          : { kind: 'unverified', reason: 'another CA' },
        self: () => ({ host: '127.0.0.1', port: 8443, serverName: NAME }),
        onUnusable: () => { replica.unusable++ },
        clock: this.clock,
        wallTime: () => new Date(Date.now() + this.wallOffset + skew),
        random: () => 0.5,
        log: { info: this.#log, warn: this.#log, error: this.#log }
      })
    }
    this.replicas.push(replica)
    replica.certificates.start()
    return replica
  }

  /** Stops a replica: it serves no longer and takes no further step. */
  async end (replica: Replica): Promise<void> {
    this.replicas.splice(this.replicas.indexOf(replica), 1)
    await replica.certificates.stop()
  }

  register (bundle = ''): void {
    for (const path of CONFIGURATIONS) {
      const webhook = (name: string) => ({
        name,
        clientConfig: { url: 'https://127.0.0.1:8443/a', caBundle: bundle },
        rules: ['a rule']
      })
      this.store.put(path, { metadata: { name: 'aim-admission' }, webhooks: [webhook('ours'), webhook('theirs')] })
    }
  }

  /** Passes time in steps, and waits until every replica is idle after each. */
  async pass (ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await until(() => this.clock.pending >= this.replicas.length)
      this.clock.pass(100)
      await until(() => this.clock.pending >= this.replicas.length)
    }
  }

  /** Fingerprints of the CAs that a webhook trusts. */
  trusted (path: string, index = 0): string[] {
    const { webhooks } = this.store.objects.get(path) as { webhooks: Array<{ clientConfig: { caBundle: string } }> }
    return certificatesOf(Buffer.from(webhooks[index]?.clientConfig.caBundle ?? '', 'base64').toString()).map(
      ({ fingerprint }) => fingerprint
    )
  }

  stored (): CertificateSet {
    const set = readCertificateSet(this.store.objects.get(SECRET)?.['data'] as JsonObject)
    if (typeof set === 'string') throw new Error(set)
    return set
  }

  request (rotate: string): void {
    const secret = this.store.objects.get(SECRET) ?? {}
    this.store.put(SECRET, {
      ...secret,
      metadata: { ...(secret['metadata'] as object), annotations: { 'aim.silogen.ai/rotate': rotate, other: 'kept' } }
    })
  }

  /** The configurations with a webhook that does not trust a served certificate. */
  failures (): string[] {
    return CONFIGURATIONS.filter((path) => this.store.objects.has(path)).filter((path) =>
      this.replicas.some(({ served }) => served !== undefined && !this.trusted(path).includes(served.ca.fingerprint)))
  }

  async stop (): Promise<void> {
    await Promise.all(this.replicas.map(async ({ certificates }) => { await certificates.stop() }))
  }
}

async function aWorld (t: Test, replicas = 2): Promise<TestWorld> {
  const world = new TestWorld()
  t.teardown(async () => { await world.stop() })
  world.register()
  for (let count = 0; count < replicas; count++) world.start()
  await world.pass(1_000)
  return world
}

t.test('two replicas that start together agree on one CA, which both webhooks trust', async (t) => {
  const world = await aWorld(t)
  const { ca, serving } = world.stored()
  t.strictSame(
    world.replicas.map(({ served }) => served?.serving.fingerprint),
    [serving.fingerprint, serving.fingerprint]
  )
  t.strictSame(CONFIGURATIONS.map((path) => world.trusted(path)), [[ca.fingerprint], [ca.fingerprint]])
  t.strictSame(world.store.writes.filter((write) => !write.startsWith('patch')), ['create secrets/aim-admission-tls'])
  t.ok(new X509Certificate(serving.certPem).verify(new X509Certificate(ca.certPem).publicKey))
  t.strictSame(serving.names, [NAME])
  const { length } = world.store.writes
  await world.pass(10_000)
  t.equal(world.store.writes.length, length, 'no further writes')
})

t.test('writes only the caBundle of its own webhooks', async (t) => {
  const world = await aWorld(t, 1)
  const { webhooks } = world.store.objects.get(MUTATING) as { webhooks: object[] }
  t.match(webhooks, [
    { name: 'ours', rules: ['a rule'] },
    { name: 'theirs', rules: ['a rule'], clientConfig: { caBundle: '' } }
  ])
})

t.test('serves a pair before webhooks are registered; they trust it soon after registration', async (t) => {
  const world = new TestWorld()
  t.teardown(async () => { await world.stop() })
  const replica = world.start()
  t.match(replica.certificates.notReadyReason(), /no serving certificate yet/)
  await world.pass(300)
  await replica.certificates.ready
  t.equal(replica.certificates.notReadyReason(), undefined)
  world.register()
  await world.pass(3_100)
  t.strictSame(world.failures(), [])
})

const damages: Record<string, (world: TestWorld) => void> = {
  'is deleted': ({ store }) => { store.objects.delete(SECRET) },
  'is emptied': ({ store }) => {
    store.put(SECRET, { ...store.objects.get(SECRET), data: { 'tls.crt': '', 'tls.key': '' } })
  },
  'is filled with garbage': ({ store }) => {
    store.put(SECRET, { metadata: { name: 'aim-admission-tls' }, data: { 'tls.crt': 'AAAA', 'ca.key': 'AAAA' } })
  },
  'holds a key of another certificate': (world) => {
    const secret = world.store.objects.get(SECRET)
    world.store.put(SECRET, {
      ...secret,
      data: { ...(secret?.['data'] as object), 'tls.key': (secret?.['data'] as JsonObject)['ca.key'] }
    })
  }
}
for (const [name, damage] of Object.entries(damages)) {
  t.test(`restores a Secret that ${name}, and keeps the served pair`, async (t) => {
    const world = await aWorld(t)
    const { serving, ca } = world.stored()
    damage(world)
    await world.pass(3_200)
    t.match(world.stored(), { serving: { fingerprint: serving.fingerprint }, ca: { fingerprint: ca.fingerprint } })
    t.strictSame(
      world.replicas.map(({ served }) => served?.serving.fingerprint),
      [serving.fingerprint, serving.fingerprint]
    )
    t.strictSame(world.replicas.map(({ certificates }) => certificates.notReadyReason()), [undefined, undefined])
    t.ok(name === 'is deleted' || world.replicas.some(({ unusable }) => unusable === 1), 'counted once')
  })
}

const bundles = { emptied: '', 'filled with garbage': 'AAAA', 'replaced by another CA': undefined }
for (const [name, bundle] of Object.entries(bundles)) {
  t.test(`repairs a caBundle that was ${name}`, async (t) => {
    const world = await aWorld(t)
    const other = new TestWorld()
    other.start()
    await other.pass(300)
    await other.stop()
    world.register(bundle ?? Buffer.from(other.stored().ca.certPem).toString('base64'))
    await world.pass(3_200)
    t.strictSame(
      CONFIGURATIONS.map((path) => world.trusted(path)),
      [[world.stored().ca.fingerprint], [world.stored().ca.fingerprint]]
    )
  })
}

t.test('leaves a Secret with other data unchanged', async (t) => {
  const world = new TestWorld()
  t.teardown(async () => { await world.stop() })
  world.store.put(SECRET, { metadata: { name: 'aim-admission-tls' }, data: { password: 'aHVudGVyMg==' } })
  const replica = world.start()
  await world.pass(1_000)
  t.strictSame(world.store.writes, [])
  t.match(
    replica.certificates.notReadyReason(),
    /aim-admission-tls contains other data; set another name with --cert-secret, or delete it/
  )
  t.notMatch(world.lines.join(), /hunter2|aHVudGVyMg/)
})

t.test('a requested renewal keeps the CA and happens once', async (t) => {
  const world = await aWorld(t)
  const before = world.stored()
  world.request('leaf')
  await world.pass(6_500)
  const { ca, serving } = world.stored()
  t.equal(ca.fingerprint, before.ca.fingerprint)
  t.not(serving.fingerprint, before.serving.fingerprint)
  t.strictSame(
    world.replicas.map(({ served }) => served?.serving.fingerprint),
    [serving.fingerprint, serving.fingerprint]
  )
  t.match(world.store.objects.get(SECRET), {
    metadata: { annotations: { other: 'kept', 'aim.silogen.ai/rotate': undefined } }
  })
})

t.test('renews certificates although bundles cannot be written, and logs the problem once', async (t) => {
  const world = await aWorld(t, 1)
  const before = world.stored()
  world.store.failing.set(`write ${VALIDATING}`, 'the API server answered 403: no')
  world.register()
  world.request('leaf')
  await world.pass(6_500)
  t.not(world.stored().serving.fingerprint, before.serving.fingerprint)
  t.equal(world.lines.filter((line) => line.includes('403: no')).length, 1)
})

/** Passes time until the CA rotation is complete, and checks that every served certificate is trusted at each step. */
async function completesRotation (t: Test, world: TestWorld, from: string): Promise<void> {
  for (let steps = 0; steps < 400; steps++) {
    await world.pass(100)
    const failures = world.failures()
    if (failures.length > 0) t.strictSame(failures, [], `after ${steps} steps`)
    const { ca, next, old } = world.stored()
    const trusted = CONFIGURATIONS.every((path) => world.trusted(path).length === 1)
    if (ca.fingerprint !== from && next === undefined && old.length === 0 && trusted) {
      t.notOk(world.tooSoon, 'no pair was served before it was trusted')
      return
    }
  }
  t.fail('the rotation does not complete')
}

t.test('a CA rotation', async (t) => {
  t.test('never serves an untrusted certificate, and ends with one CA', async (t) => {
    const world = await aWorld(t)
    const { ca } = world.stored()
    world.request('ca')
    await completesRotation(t, world, ca.fingerprint)
    t.strictSame(
      world.replicas.map(({ served }) => served?.ca.fingerprint),
      Array(2).fill(world.stored().ca.fingerprint)
    )
    t.strictSame(
      world.store.writes.slice(3).filter((write) => !write.startsWith('patch')),
      Array(3).fill('replace secrets/aim-admission-tls')
    )
    t.notMatch(world.lines.join(), /PRIVATE KEY|BEGIN/)
  })

  for (let writes = 1; writes <= 7; writes++) {
    t.test(`continues after all replicas stopped at write ${writes}`, async (t) => {
      const world = await aWorld(t)
      const { ca } = world.stored()
      const before = world.store.writes.length
      world.request('ca')
      for (let steps = 0; world.store.writes.length < before + writes && steps < 400; steps++) await world.pass(100)
      for (const replica of [...world.replicas]) await world.end(replica)
      world.start()
      world.start()
      await completesRotation(t, world, ca.fingerprint)
      t.equal(world.failures().length, 0)
    })
  }

  t.test('waits for a replica that still serves the old certificate, and continues when it is gone', async (t) => {
    const world = await aWorld(t)
    const { ca } = world.stored()
    const [, stuck] = world.replicas
    if (stuck !== undefined) await stuck.certificates.stop() // it still serves its pair
    world.request('ca')
    for (let passed = 0; passed < 150; passed++) {
      world.clock.pass(100)
      await until(() => world.clock.pending >= 1)
    }
    t.ok(CONFIGURATIONS.every((path) => world.trusted(path).includes(ca.fingerprint)), 'the old CA is still trusted')
    t.equal(world.stored().old.length, 1)
    world.replicas.splice(1, 1)
    await completesRotation(t, world, ca.fingerprint)
  })
})

t.test('a replaced Secret takes over without an untrusted certificate', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  const other = new TestWorld()
  other.start()
  await other.pass(300)
  await other.stop()
  world.store.put(SECRET, other.store.objects.get(SECRET) ?? {})
  await completesRotation(t, world, ca.fingerprint)
  t.equal(world.stored().ca.fingerprint, other.stored().ca.fingerprint)
})

t.test('a Secret lost with every replica is created again, and the previous CA stays trusted', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  for (const replica of [...world.replicas]) await world.end(replica)
  world.store.objects.delete(SECRET)
  world.start()
  await world.pass(500)
  t.strictSame(world.failures(), [])
  t.ok(world.trusted(MUTATING).includes(ca.fingerprint))
  await completesRotation(t, world, ca.fingerprint)
})

const TEN_MINUTES = 10 * 60_000

for (const skew of [TEN_MINUTES, -TEN_MINUTES]) {
  t.test(`all replicas accept the certificates of one with a clock skew of ${skew / 60_000} min`, async (t) => {
    const world = new TestWorld()
    t.teardown(async () => { await world.stop() })
    world.register()
    world.start(skew)
    await world.pass(1_000)
    world.start()
    world.start(-skew)
    await world.pass(10_000)
    const { ca, serving } = world.stored()
    for (const { notBefore, notAfter } of [ca, serving]) {
      t.ok(notBefore < Date.now() - TEN_MINUTES && notAfter > Date.now() + TEN_MINUTES, 'valid by every clock')
    }
    t.strictSame(world.replicas.map(({ served }) => served?.serving.fingerprint), Array(3).fill(serving.fingerprint))
    const { length } = world.store.writes
    await world.pass(60_000)
    t.equal(world.store.writes.length, length, 'no further writes')
    t.notOk(world.tooSoon)
  })
}

t.test('renews with the same CA within 5 s after all replicas were suspended past the expiry', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  world.wallOffset = 31 * 24 * 60 * 60_000
  await world.pass(5_000)
  for (const { served } of world.replicas) {
    t.ok((served?.serving.notAfter ?? 0) > Date.now() + world.wallOffset, 'valid at the new time')
  }
  t.strictSame(world.replicas.map(({ served }) => served?.ca.fingerprint), Array(2).fill(ca.fingerprint))
  t.notOk(world.tooSoon)
})
