import t from 'tap'
import type { Test } from 'tap'
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

/** Replicas over one store, whose time passes by hand. */
class World {
  readonly store = new FakeObjectStore()
  readonly clock = new ManualClock()
  readonly replicas: Replica[] = []
  readonly lines: string[] = []
  /** Whether a replica has begun to serve what a webhook did not trust yet. */
  tooSoon = false
  readonly #log = (keys: object, sentence: string): void => { this.lines.push(`${sentence} ${JSON.stringify(keys)}`) }

  /** By how much the clocks that tell the time of day have been moved, in milliseconds: of the whole world. */
  movedBy = 0

  /** A replica, and by how much its clock is off, in milliseconds. */
  start (off = 0): Replica {
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
        probeServingCert: async (_peer, caPem) =>
          this.replicas.every(({ served }) => served?.ca.certPem === caPem) ? 'confirmed' : 'refuted',
        self: () => ({ host: '127.0.0.1', port: 8443, serverName: NAME }),
        onUnusable: () => { replica.unusable++ },
        clock: this.clock,
        wallTime: () => new Date(Date.now() + this.movedBy + off),
        random: () => 0.5,
        log: { info: this.#log, warn: this.#log, error: this.#log }
      })
    }
    this.replicas.push(replica)
    replica.certificates.start()
    return replica
  }

  /** Ends a replica without notice: it serves no more, and what it was about to do is not done. */
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

  /** Lets every replica look once more, and all that looked settle. */
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

  ask (rotate: string): void {
    const secret = this.store.objects.get(SECRET) ?? {}
    this.store.put(SECRET, {
      ...secret,
      metadata: { ...(secret['metadata'] as object), annotations: { 'aim.silogen.ai/rotate': rotate, other: 'kept' } }
    })
  }

  /** Which replicas serve what a webhook does not trust. */
  failures (): string[] {
    return CONFIGURATIONS.filter((path) => this.store.objects.has(path)).filter((path) =>
      this.replicas.some(({ served }) => served !== undefined && !this.trusted(path).includes(served.ca.fingerprint)))
  }

  async stop (): Promise<void> {
    await Promise.all(this.replicas.map(async ({ certificates }) => { await certificates.stop() }))
  }
}

async function aWorld (t: Test, replicas = 2): Promise<World> {
  const world = new World()
  t.teardown(async () => { await world.stop() })
  world.register()
  for (let count = 0; count < replicas; count++) world.start()
  await world.pass(1_000)
  return world
}

t.test('two replicas that start at once end with one CA, which both webhooks trust', async (t) => {
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
  t.equal(world.store.writes.length, length, 'and then nothing is written any more')
})

t.test('only the caBundle of our own webhooks is written', async (t) => {
  const world = await aWorld(t, 1)
  const { webhooks } = world.store.objects.get(MUTATING) as { webhooks: object[] }
  t.match(webhooks, [
    { name: 'ours', rules: ['a rule'] },
    { name: 'theirs', rules: ['a rule'], clientConfig: { caBundle: '' } }
  ])
})

t.test('a pair is served before anything is registered, and trusted soon after that is', async (t) => {
  const world = new World()
  t.teardown(async () => { await world.stop() })
  const replica = world.start()
  t.match(replica.certificates.unready(), /no serving certificate yet/)
  await world.pass(300)
  await replica.certificates.ready
  t.equal(replica.certificates.unready(), undefined)
  world.register()
  await world.pass(3_100)
  t.strictSame(world.failures(), [])
})

const damages: Record<string, (world: World) => void> = {
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
  t.test(`a Secret that ${name} is put back as it was, and what is served stays`, async (t) => {
    const world = await aWorld(t)
    const { serving, ca } = world.stored()
    damage(world)
    await world.pass(3_200)
    t.match(world.stored(), { serving: { fingerprint: serving.fingerprint }, ca: { fingerprint: ca.fingerprint } })
    t.strictSame(
      world.replicas.map(({ served }) => served?.serving.fingerprint),
      [serving.fingerprint, serving.fingerprint]
    )
    t.strictSame(world.replicas.map(({ certificates }) => certificates.unready()), [undefined, undefined])
    t.ok(name === 'is deleted' || world.replicas.some(({ unusable }) => unusable === 1), 'and counted once')
  })
}

for (const [name, bundle] of Object.entries({ emptied: '', 'filled with garbage': 'AAAA', 'given to somebody else': undefined })) {
  t.test(`a caBundle that was ${name} is healed`, async (t) => {
    const world = await aWorld(t)
    const other = new World()
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

t.test('a Secret of somebody else is left alone', async (t) => {
  const world = new World()
  t.teardown(async () => { await world.stop() })
  world.store.put(SECRET, { metadata: { name: 'aim-admission-tls' }, data: { password: 'aHVudGVyMg==' } })
  const replica = world.start()
  await world.pass(1_000)
  t.strictSame(world.store.writes, [])
  t.match(
    replica.certificates.unready(),
    /aim-admission-tls holds something else; name another by --cert-secret, or delete it/
  )
  t.notMatch(world.lines.join(), /hunter2|aHVudGVyMg/)
})

t.test('a forced renewal keeps the CA, and answers the request once', async (t) => {
  const world = await aWorld(t)
  const before = world.stored()
  world.ask('leaf')
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

t.test('where bundles cannot be written, certificates are renewed all the same, and the trouble is told once', async (t) => {
  const world = await aWorld(t, 1)
  const before = world.stored()
  world.store.failing.set(`write ${VALIDATING}`, 'the API server answered 403: no')
  world.register()
  world.ask('leaf')
  await world.pass(6_500)
  t.not(world.stored().serving.fingerprint, before.serving.fingerprint)
  t.equal(world.lines.filter((line) => line.includes('403: no')).length, 1)
})

/** Lets time pass until the change is over; nobody may serve what is not trusted at any moment. */
async function changedUnderWatch (t: Test, world: World, from: string): Promise<void> {
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
  t.fail('the change does not end')
}

t.test('a CA change', async (t) => {
  t.test('never leaves a replica serve what is not trusted, and ends with one CA', async (t) => {
    const world = await aWorld(t)
    const { ca } = world.stored()
    world.ask('ca')
    await changedUnderWatch(t, world, ca.fingerprint)
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
    t.test(`goes on after all replicas ended at write ${writes}`, async (t) => {
      const world = await aWorld(t)
      const { ca } = world.stored()
      const before = world.store.writes.length
      world.ask('ca')
      for (let steps = 0; world.store.writes.length < before + writes && steps < 400; steps++) await world.pass(100)
      for (const replica of [...world.replicas]) await world.end(replica)
      world.start()
      world.start()
      await changedUnderWatch(t, world, ca.fingerprint)
      t.equal(world.failures().length, 0)
    })
  }

  t.test('waits for a replica that still serves the old certificate, and goes on when it is gone', async (t) => {
    const world = await aWorld(t)
    const { ca } = world.stored()
    const [, stuck] = world.replicas
    if (stuck !== undefined) await stuck.certificates.stop() // it goes on serving
    world.ask('ca')
    for (let passed = 0; passed < 150; passed++) {
      world.clock.pass(100)
      await until(() => world.clock.pending >= 1)
    }
    t.ok(CONFIGURATIONS.every((path) => world.trusted(path).includes(ca.fingerprint)), 'the old CA is still trusted')
    t.equal(world.stored().old.length, 1)
    world.replicas.splice(1, 1)
    await changedUnderWatch(t, world, ca.fingerprint)
  })
})

t.test('a Secret that was put in the place of another takes over without a gap', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  const other = new World()
  other.start()
  await other.pass(300)
  await other.stop()
  world.store.put(SECRET, other.store.objects.get(SECRET) ?? {})
  await changedUnderWatch(t, world, ca.fingerprint)
  t.equal(world.stored().ca.fingerprint, other.stored().ca.fingerprint)
})

t.test('a Secret that is gone together with every replica is made anew, and what was trusted stays trusted for the time being', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  for (const replica of [...world.replicas]) await world.end(replica)
  world.store.objects.delete(SECRET)
  world.start()
  await world.pass(500)
  t.strictSame(world.failures(), [])
  t.ok(world.trusted(MUTATING).includes(ca.fingerprint))
  await changedUnderWatch(t, world, ca.fingerprint)
})

const TEN_MINUTES = 10 * 60_000

for (const off of [TEN_MINUTES, -TEN_MINUTES]) {
  t.test(`a replica whose clock is ${off / 60_000} min off makes certificates that the others take, and nothing is changed back and forth`, async (t) => {
    const world = new World()
    t.teardown(async () => { await world.stop() })
    world.register()
    world.start(off)
    await world.pass(1_000)
    world.start()
    world.start(-off)
    await world.pass(10_000)
    const { ca, serving } = world.stored()
    for (const { notBefore, notAfter } of [ca, serving]) { t.ok(notBefore < Date.now() - TEN_MINUTES && notAfter > Date.now() + TEN_MINUTES, 'good by every clock') }
    t.strictSame(world.replicas.map(({ served }) => served?.serving.fingerprint), Array(3).fill(serving.fingerprint))
    const { length } = world.store.writes
    await world.pass(60_000)
    t.equal(world.store.writes.length, length, 'nothing is written any more')
    t.notOk(world.tooSoon)
  })
}

t.test('where every replica slept until after the serving certificate had expired, another is served within 5 s, of the same CA', async (t) => {
  const world = await aWorld(t)
  const { ca } = world.stored()
  world.movedBy = 31 * 24 * 60 * 60_000
  await world.pass(5_000)
  for (const { served } of world.replicas) { t.ok((served?.serving.notAfter ?? 0) > Date.now() + world.movedBy, 'it is good by the new time') }
  t.strictSame(world.replicas.map(({ served }) => served?.ca.fingerprint), Array(2).fill(ca.fingerprint))
  t.notOk(world.tooSoon)
})
