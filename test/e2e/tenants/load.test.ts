import t from 'tap'
import type { JsonObject } from '../../../src/platform/json.ts'
import { BY_TEAM, routed } from '../../support/builders/manifests.ts'
import { conditionOf } from '../../support/cluster/observed.ts'
import { startProgram } from '../../support/programs/program.ts'
import { ready } from '../../support/programs/product.ts'
import { refOf, type Actor, type Outcome } from '../../support/tenants/actor.ts'
import { aManifest, metricAt, startArena } from '../../support/tenants/arena.ts'
import { pathIn } from '../../support/tenants/stored.ts'
import { eventually, until } from '../../support/until.ts'

const arena = await startArena({ replicas: 1 })
const { cluster, mallory, victim, platform, replicas, object, reaches } = arena
t.teardown(arena.stop)

const KIB = 1_024
/** Small numbers: the whole load is in the benchmark of tenants. */
const [LARGE, LARGE_BYTES] = [30, 100 * KIB]
const ATTACKERS = 5
const CREATES = 40

const service = (namespace: string, name: string, spec: object = {}): JsonObject =>
  aManifest({ namespace, name, spec })
const padded = (name: string, bytes: number): JsonObject =>
  service('evil', name, { env: [{ name: 'PADDING', value: 'x'.repeat(bytes) }] })
const config = (spec: object): JsonObject =>
  aManifest({ kind: 'AIMRuntimeConfig', namespace: 'evil', name: 'default', spec })
const CONFIG = refOf(config({}))
const numbered = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}-${at}`)

async function createdBy (actor: Actor, objects: readonly JsonObject[], atOnce = 4): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const rest = [...objects]
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) outcomes.push(await actor.create(next))
  }))
  return outcomes
}

const probeUrl = (): string => replicas.running[0]?.probeUrl ?? ''

await platform.create(aManifest({ kind: 'AIMClusterRuntimeConfig', name: 'default', spec: routed() }))
await mallory.create(config(routed()))
for (const { message } of await createdBy(mallory, numbered(LARGE, 'large').map((name) => padded(name, LARGE_BYTES)))) {
  if (message !== '') throw new Error(message)
}

/** Requests of a tenant about its own configuration, for which the server looks through the tenant's services. */
const MOVED = { routing: { pathTemplate: '/moved/{.metadata.name}' } }
const PREVIEWS: Readonly<Record<string, () => Promise<Outcome>>> = {
  'merge patches': async () => await mallory.mergePatch(CONFIG, { spec: MOVED }, { dryRun: true }),
  'server-side applies': async () => await mallory.applyServerSide(config(routed(BY_TEAM)), { dryRun: true }),
  deletions: async () => await mallory.remove(CONFIG, { dryRun: true })
}

for (const [form, preview] of Object.entries(PREVIEWS)) {
  t.test(`while a tenant dry-runs ${form} of its configuration, another creates services`, async (t) => {
    const attack = { isRunning: true, done: 0, failures: [] as string[] }
    const attackers = Array.from({ length: ATTACKERS }, async () => {
      while (attack.isRunning) {
        const { code, message } = await preview()
        attack.done++
        if (code !== 200) attack.failures.push(message)
      }
    })
    const doneBefore: number[] = []
    const failures: string[] = []
    for (const name of numbered(CREATES, `during-${form.replaceAll(' ', '-')}`)) {
      const { code, message } = await victim.create(service('victim', name))
      doneBefore.push(attack.done)
      if (code !== 201) failures.push(message)
    }
    attack.isRunning = false
    await Promise.all(attackers)
    t.strictSame(failures, [], 'each create succeeds')
    t.strictSame(attack.failures, [], 'each preview is answered')
    // a create waits for a slice of a preview, not for the previews that are queued
    const waits = doneBefore.map((done, at) => done - (doneBefore[at - 1] ?? 0)).toSorted((a, b) => a - b)
    const middle = waits[Math.floor(waits.length / 2)] ?? 0
    t.ok(middle <= 2 * ATTACKERS, `a create waits for ${middle} previews`)
    t.equal(await metricAt(probeUrl(), 'aim_admission_deadline_exceeded_total') ?? 0, 0)
  })
}

t.test('a preview reports what it did not examine', async (t) => {
  const { warnings, code } = await mallory.mergePatch(
    CONFIG,
    { spec: { routing: { pathTemplate: BY_TEAM } } },
    { dryRun: true }
  )
  t.equal(code, 200)
  t.match(warnings.join(), new RegExp(`${LARGE}.*large|large.*${LARGE}|not complete`))
})

t.test('a service above the limit is kept without its text, with a warning to its user', async (t) => {
  const outcome = await mallory.create(padded('warned', 20 * KIB))
  t.match(outcome.warnings.join(), /16 KiB|large/)
  await until(async () => await metricAt(probeUrl(), 'aim_admission_cache_partial_services') === LARGE + 1)
  const kept = await metricAt(probeUrl(), 'aim_admission_cache_bytes', '{kind="AIMService"}')
  t.ok(kept !== undefined && kept < LARGE * LARGE_BYTES / 10, `${kept} bytes are kept`)
  const small = await victim.create(service('victim', 'small'))
  t.notMatch(small.warnings.join(), /16 KiB|large/)
})

t.test('a service that is kept without its text holds its path and is reconciled', async (t) => {
  const path = '/evil/large-0'
  const refused = await victim.create(service('victim', 'thief', routed(path)))
  t.equal(refused.code, 422)
  t.match(refused.message, 'large-0')
  await arena.startReconciler()
  t.equal(await reaches(['-n', 'evil', 'aimsvc/large-0'], 'RoutingReady', 'PathRendered'), '')
  await mallory.mergePatch(CONFIG, { spec: { routing: { pathTemplate: '/evil/moved/{.metadata.name}' } } })
  await until(async () =>
    pathIn(await mallory.get(refOf(padded(`large-${LARGE - 1}`, 0)))) === `/evil/moved/large-${LARGE - 1}`)
  const rolledOut = await eventually(async () => {
    const stored = await object('-n', 'evil', 'aimrcfg/default')
    return conditionOf(stored, 'RolledOut')?.status === 'True' ? stored : undefined
  })
  t.equal(rolledOut.status?.services?.current, rolledOut.status?.services?.total)
})

/** The heap of a process in MiB, which the text of the services alone would fill. */
const HEAP_MIB = 64
const [HUGE, HUGE_BYTES] = [30, 1_300 * KIB]

t.test('services of 1.3 MB do not end a process with a small heap', { timeout: 240_000 }, async (t) => {
  for (const name of numbered(HUGE, 'huge')) {
    // on a busy machine, the API server itself may exceed the timeout of the webhook with such a request
    await until(async () => {
      const { code } = await mallory.create(padded(name, HUGE_BYTES))
      return code === 201 || code === 409
    }, undefined, 120_000)
  }
  t.equal((await object('-n', 'evil', `aimsvc/huge-${HUGE - 1}`)).metadata.name, `huge-${HUGE - 1}`)
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` }
  const common = ['--kubeconfig', cluster.kubeconfig, '--probe-port', '0']
  const commands: Readonly<Record<string, readonly string[]>> = {
    serving: [
      'serve',
      ...common,
      '--port',
      '0',
      '--cert-file',
      `${cluster.dir}/service.crt`,
      '--key-file',
      `${cluster.dir}/service.key`
    ],
    reconciling: ['reconcile', ...common, '--namespace', 'aim-system', '--lease-duration', '5']
  }
  await Promise.all(Object.entries(commands).map(async ([message, args]) => {
    const program = startProgram(args, env)
    const { probeUrl: probes } = await program.logged(message) as unknown as { probeUrl: string } // what it logs
    await ready(probes)
    t.equal(await metricAt(probes, 'aim_admission_cache_objects', '{kind="AIMService"}') !== undefined, true, message)
    t.equal(await program.stop(), 0, message)
  }))
})
