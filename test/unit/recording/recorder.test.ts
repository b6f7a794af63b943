import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import { readRecords } from '../../../src/recording/record-files.ts'
import { Recorder } from '../../../src/recording/recorder.ts'
import { differencesOf, replayRecord } from '../../../src/recording/replay.ts'
import type { ReviewRecord } from '../../../src/recording/review-record.ts'
import type { ServedFields } from '../../../src/core/ports.ts'
import { schemaFields } from '../../../src/core/served-fields.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../../src/core/world.ts'
import { newAdmissionEngine, webhooksFor } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aboutObject, aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const routed = (pathTemplate?: string) => ({
  routing: { enabled: true, gatewayRef: GATEWAY, ...(pathTemplate !== undefined && { pathTemplate }) }
})
const POLICY = { missingConfig: 'warn', missingBlock: 'refuse' } as const

interface Bounds {
  readonly folder?: string
  readonly fileBytes?: number
  readonly files?: number
  readonly policy?: Partial<PathPolicy>
  readonly served?: ServedFields
}

/** An admission engine whose reviews are recorded in a temporary folder. */
async function recorded (t: Test, { policy, served, ...bounds }: Bounds = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-records-'))
  t.teardown(async () => { await rm(dir, { recursive: true, force: true }) })
  const folder = bounds.folder ?? path.join(dir, 'reviews')
  const counts: Record<string, number> = {}
  const lines: string[] = []
  const clock = new ManualClock()
  const log = (_keys: object, message: string): void => { lines.push(message) }
  const recorder = new Recorder({
    settings: { folder, fileBytes: 1024 * 1024, files: 8, ...bounds },
    version: '1.0.0',
    clock,
    log: { info: log, warn: log, error: log },
    count: (outcome) => { counts[outcome] = (counts[outcome] ?? 0) + 1 }
  })
  await recorder.start()
  const admission = newAdmissionEngine(POLICY, {
    clock,
    ...(served && { served }),
    pathPolicy: { ...DEFAULT_PATH_POLICY, ...policy },
    webhooksOver: (world) => recorder.webhooksOver(world, POLICY)
  })
  return {
    folder,
    clock,
    counts,
    lines,
    recorder,
    feed: (...objects: JsonObject[]): void => {
      for (const object of objects) admission.sinks[object['kind'] as keyof typeof admission.sinks].upsert(object)
    },
    judge: (name: string, request: JsonObject) => {
      const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
      const webhook = admission.webhooks.find((candidate) => candidate.name === name)
      if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
      return webhook.decide(decoded.request)
    },
    /** Resolves when this many reviews are counted. */
    counted: async (reviews: number): Promise<void> => {
      await until(() => Object.values(counts).reduce((sum, count) => sum + count, 0) >= reviews)
    }
  }
}

async function recordsOf (folder: string): Promise<ReviewRecord[]> {
  const lines = await Array.fromAsync(readRecords(folder))
  return lines.map((line) => {
    if (line.kind !== 'record') throw new Error(`line ${line.line} is not a record`)
    return line.record
  })
}

async function textOf (folder: string): Promise<string> {
  return (await Promise.all((await readdir(folder)).map((name) => readFile(path.join(folder, name), 'utf8')))).join('')
}

const SECRET = 'hunter2-do-not-tell'
const APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

t.test('redacts secret values, without changing the response', async (t) => {
  const { judge, feed, counted, counts, folder } = await recorded(t)
  feed(aConfig(routed("/{.metadata.annotations['tier']}/{.metadata.name}")))
  const object = aService({
    metadata: {
      annotations: { tier: 'gold', note: SECRET, [APPLIED]: SECRET },
      managedFields: [{ manager: SECRET }]
    },
    spec: {
      env: [
        { name: 'TOKEN', value: SECRET },
        { name: 'OTHER', value: 'x', valueFrom: { secretKeyRef: { name: 'a-secret', key: 'token' } } },
        SECRET,
        { value: { a: [SECRET] } }
      ],
      routing: { annotations: { 'example.com/auth': SECRET } }
    }
  })
  judge('mutate-aimservices', { object: { ...object, status: { note: SECRET } }, userInfo: { username: SECRET } })
  await counted(1)
  t.strictSame(counts, { written: 1 })
  const text = await textOf(folder)
  t.notMatch(text, new RegExp(SECRET))
  t.match(JSON.parse(text), {
    version: '1.0.0',
    webhook: 'mutate-aimservices',
    review: {
      request: {
        object: {
          metadata: { annotations: { tier: 'gold', note: /^redacted-[0-9a-f]{16}$/ } },
          spec: {
            env: [
              { name: 'TOKEN', value: /^redacted-/ },
              { name: 'OTHER', valueFrom: { secretKeyRef: { name: 'a-secret', key: 'token' } } }
            ]
          }
        }
      }
    },
    response: { allowed: true, patch: [{}, { value: { routing: { path: '/gold/llama-chat' } } }] }
  })
})

t.test('placeholders differ exactly if the values differ', async (t) => {
  const { judge, counted, folder } = await recorded(t)
  const withEnv = (...values: string[]) =>
    aService({ spec: { env: values.map((value, at) => ({ name: `N${at}`, value })) } })
  judge('mutate-aimservices', { operation: 'UPDATE', oldObject: withEnv('a', 'b', ''), object: withEnv('a', 'c', '') })
  await counted(1)
  const [record] = await recordsOf(folder)
  const { object, oldObject } = record?.review['request'] as Record<string, { spec: { env: { value: string }[] } }>
  const values = [oldObject, object].map((given) => given?.spec.env.map(({ value }) => value) ?? [])
  t.equal(values[0]?.[0], values[1]?.[0])
  t.not(values[0]?.[1], values[1]?.[1])
  t.strictSame([values[0]?.[2], values[1]?.[2]], ['', ''])
})

t.test('counts but does not write a review whose response contains a redacted value', async (t) => {
  const { judge, feed, counted, counts, folder } = await recorded(t)
  feed(aConfig(routed('/{.spec.env[0].value}')))
  judge('mutate-aimservices', { object: aService({ spec: { env: [{ name: 'TOKEN', value: SECRET }] } }) })
  await counted(1)
  t.strictSame(counts, { irreproducible: 1 })
  t.equal(await textOf(folder), '')
})

const others = (...names: string[]) => names.map((name) => aService({
  name,
  labels: { team: 'nlp' },
  metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    resolvedRuntimeConfig: {
      kind: 'AIMRuntimeConfig',
      scope: 'Namespace',
      namespace: 'ml-team',
      name: 'default',
      hash: 'sha256:0',
      routing: { gatewayRef: GATEWAY, path: `/ml-team/${name}` }
    }
  }
}))
const known = [aConfig(routed()), aClusterConfig({ defaultStorageClassName: 'slow' }), ...others('first', 'second')]
const stored = { oldObject: aService(), operation: 'UPDATE' }

const reviews: Record<string, { webhook: string, request: JsonObject, want: object }> = {
  'a service that gets its block': {
    webhook: 'mutate-aimservices',
    request: { object: aService() },
    want: { allowed: true, patch: [{ path: '/spec/runtimeConfigName' }, {}] }
  },
  'a missing configuration': {
    webhook: 'mutate-aimservices',
    request: { object: aService({ spec: { runtimeConfigName: 'none' } }) },
    want: { warnings: [/is missing/] }
  },
  'a path conflict': {
    webhook: 'validate-aimservices',
    request: { object: aService({ spec: { ...routed('/ml-team/first'), resolvedRuntimeConfig: {} } }) },
    want: {
      allowed: false,
      code: 422,
      message: /already held by AIMService ml-team\/first/,
      causes: [{ reason: 'AIM-PATH-CONFLICT' }]
    }
  },
  'a path that covers others': {
    webhook: 'validate-aimservices',
    request: { object: aService({ spec: { ...routed('/ml-team'), resolvedRuntimeConfig: {} } }) },
    want: { allowed: true, warnings: [/covers \/ml-team\/first of AIMService ml-team\/first/] }
  },
  'a covered path': {
    webhook: 'validate-aimservices',
    request: { object: aService({ spec: { ...routed('/ml-team/first/deeper'), resolvedRuntimeConfig: {} } }) },
    want: { allowed: true, warnings: [/is covered by \/ml-team\/first/] }
  },
  'a service whose block was removed': {
    webhook: 'validate-aimservices',
    request: { object: aService() },
    want: { allowed: false, causes: [{ reason: 'AIM-BLOCK-MISSING' }] }
  },
  'a missing annotation of the template': {
    webhook: 'validate-aimservices',
    request: {
      ...stored,
      object: aService({
        metadata: { annotations: { a: '1', b: '2' } },
        spec: routed("/{.metadata.annotations['tier']}")
      })
    },
    want: { allowed: false, message: /annotations set: a, b/ }
  },
  'a configuration that moves services': {
    webhook: 'validate-aimruntimeconfigs',
    request: {
      operation: 'UPDATE',
      oldObject: aConfig(routed()),
      object: aConfig(routed("/{.metadata.labels['team']}/{.metadata.name}"))
    },
    want: { allowed: true, warnings: [/2 services \(ml-team\/first, ml-team\/second\) would move/] }
  },
  'a configuration that makes services collide': {
    webhook: 'validate-aimruntimeconfigs',
    request: {
      operation: 'UPDATE',
      oldObject: aConfig(routed()),
      object: aConfig(routed("/{.metadata.labels['team']}"))
    },
    want: { allowed: true, warnings: [/2 services .* would get paths that another service holds/] }
  },
  'a deleted configuration': {
    webhook: 'validate-aimruntimeconfigs',
    request: { operation: 'DELETE', oldObject: aConfig(routed()), object: null },
    want: { allowed: true, warnings: [/fall back to AIMClusterRuntimeConfig default/] }
  },
  'a configuration with an invalid template': {
    webhook: 'validate-aimclusterruntimeconfigs',
    request: { object: aClusterConfig(routed('/{')) },
    want: { allowed: false, code: 422 }
  },
  'an object with a field of a wrong type': {
    webhook: 'validate-aimservices',
    request: { object: { ...aService(), spec: { routing: 'none' } } },
    want: { allowed: false, causes: [{ reason: 'AIM-OBJECT-MALFORMED' }] }
  },
  'keys of Object.prototype': {
    webhook: 'mutate-aimservices',
    request: {
      object: JSON.parse(
        '{"kind":"AIMService","metadata":{"name":"x","namespace":"ml-team","labels":{"__proto__":"a"}},' +
        '"spec":{"env":[{"name":"A","__proto__":{"b":"c"}}],"constructor":1}}'
      )
    },
    want: { allowed: true }
  }
}
for (const [name, { webhook, request, want }] of Object.entries(reviews)) {
  t.test(`replays ${name}`, async (t) => {
    const { judge, feed, counted, counts, folder, clock } = await recorded(t)
    feed(...known)
    clock.pass(10_000) // no configuration is recent
    judge(webhook, request)
    await counted(1)
    t.strictSame(counts, { written: 1 })
    const [record] = await recordsOf(folder)
    if (record === undefined) throw new Error('nothing was recorded')
    t.match(record.response, want)
    t.strictSame(differencesOf(record.response, replayRecord(record)), [])
  })
}

t.test('replays with the definition that the review had', async (t) => {
  const served = schemaFields({ type: 'object', properties: { spec: { type: 'object', properties: { own: {} } } } })
  const { judge, counted, folder } = await recorded(t, { served })
  const verdict = judge('validate-aimruntimeconfigs', { object: aConfig(routed('/{.spec.own}/{.spec.replicas}')) })
  await counted(1)
  const [record] = await recordsOf(folder)
  if (record === undefined) throw new Error('nothing was recorded')
  t.match(verdict, { warnings: [/no service has a field \.spec\.replicas .*\.spec: own$/] })
  t.strictSame(differencesOf(record.response, replayRecord(record)), [])
})

t.test('replays with the form of paths that the review had', async (t) => {
  const { judge, feed, counted, folder } = await recorded(t, { policy: { pathSegments: 'dns' } })
  feed(aConfig(routed('/My_Team')))
  const verdict = judge('mutate-aimservices', { object: aService() })
  await counted(1)
  const [record] = await recordsOf(folder)
  if (record === undefined) throw new Error('nothing was recorded')
  t.match(JSON.stringify(verdict), /"path":"\/my-team"/)
  t.strictSame(differencesOf(record.response, replayRecord(record)), [])
})

t.test('records whether a configuration was recent', async (t) => {
  const { judge, feed, counted, counts } = await recorded(t)
  feed(aConfig())
  t.equal(judge('validate-aimservices', { object: aService() }).kind, 'admit')
  await counted(1)
  t.strictSame(counts, { written: 1 })
})

t.test('a changed rule causes exactly its own difference', async (t) => {
  const { judge, feed, counted, folder } = await recorded(t)
  feed(...known)
  judge('mutate-aimservices', { object: aService() })
  judge('mutate-aimservices', { object: aService({ spec: { runtimeConfigName: 'none' } }) })
  await counted(2)
  const otherWording: typeof webhooksFor = (world, policy) => webhooksFor(world, policy).map((webhook) => ({
    ...webhook,
    decide: (request) => {
      const verdict = webhook.decide(request)
      return { ...verdict, warnings: verdict.warnings.map((warning) => warning.replace('is missing', 'is not there')) }
    }
  }))
  const changes = (await recordsOf(folder)).flatMap((record) =>
    differencesOf(record.response, replayRecord(record, otherWording))
  )
  t.match(changes, [{ field: 'warnings', recorded: [/ is missing/], now: [/ is not there/] }])
  t.equal(changes.length, 1)
})

t.test('writes equal reviews once', async (t) => {
  const { judge, counted, counts } = await recorded(t)
  judge('mutate-aimservices', { object: aService(), uid: 'a' })
  judge('mutate-aimservices', { object: aService(), uid: 'b' })
  await counted(2)
  t.strictSame(counts, { written: 1, duplicate: 1 })
})

t.test('counts but does not write a review or evidence that is too large', async (t) => {
  const { judge, feed, counted, counts } = await recorded(t)
  judge('mutate-aimservices', { object: aService({ labels: { big: 'x'.repeat(300_000) } }) })
  feed(...others(...Array.from({ length: 501 }, (_, at) => `s${at}`)))
  judge('validate-aimruntimeconfigs', { object: aConfig(routed()) })
  await counted(2)
  t.strictSame(counts, { too_large: 2 })
})

t.test('drops reviews when the queue is full', async (t) => {
  const { judge, counted, counts } = await recorded(t)
  for (let at = 0; at < 100; at++) judge('mutate-aimservices', { object: aService({ name: `s${at}` }) })
  t.strictSame(counts, { dropped: 36 }, 'counted before anything was written')
  await counted(100)
  t.strictSame(counts, { dropped: 36, written: 64 })
})

t.test('files are private and bounded in size and number', async (t) => {
  const { judge, counted, folder, recorder } = await recorded(t, { fileBytes: 4_000, files: 3 })
  for (let at = 0; at < 40; at++) judge('mutate-aimservices', { object: aService({ name: `s${at}` }) })
  await counted(40)
  await recorder.stop()
  const names = (await readdir(folder)).sort()
  t.equal(names.length, 3)
  for (const name of names) {
    const { mode, size } = await stat(path.join(folder, name))
    t.equal(mode & 0o777, 0o600)
    t.ok(size > 0 && size <= 4_000, `${size} bytes`)
  }
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  t.match(
    (await recordsOf(folder)).at(-1),
    { review: { request: { name: 's39' } } } satisfies object,
    'the latest are kept'
  )
})

t.test('a disk failure fails no review, is logged once, and is retried later', async (t) => {
  const { judge, counted, folder, counts, lines, clock, recorder } = await recorded(t, { fileBytes: 1 })
  const create = (name: string) => judge('mutate-aimservices', { object: aService({ name }) })
  create('a')
  await counted(1)
  await rm(folder, { recursive: true })
  await writeFile(folder, 'no folder')
  t.equal(create('b').kind, 'patch')
  await counted(2)
  create('c')
  await counted(3)
  t.strictSame(counts, { written: 1, dropped: 2 })
  await rm(folder)
  await mkdir(folder)
  clock.pass(10_000)
  create('c')
  await counted(4)
  await recorder.stop()
  t.strictSame(counts, { written: 2, dropped: 2 })
  t.strictSame(lines, ['failed to record reviews', 'recording reviews again'])
})

t.test('start rejects with one line if the folder is not writable', async (t) => {
  await t.rejects(recorded(t, { folder: '/etc/hostname/reviews' }), {
    message:
      'cannot record reviews in /etc/hostname/reviews (--record): ENOTDIR: not a directory, ' +
      "mkdir '/etc/hostname/reviews'; give a folder that this process may write to"
  })
})
