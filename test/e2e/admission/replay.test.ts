import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { webhooksFor } from '../../../webhooks/engine.ts'
import { newProgram } from '../../../src/cli/program.ts'
import { reviewCommand } from '../../../src/cli/commands/review/command.ts'
import type { WebhooksOver } from '../../../src/recording/replay.ts'
import type { ReviewRecord } from '../../../src/recording/review-record.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'
import { startProduct } from '../../support/programs/product.ts'

const cluster = await startCluster()
t.teardown(async () => { await cluster.stop() })
const folder = path.join(cluster.dir, 'reviews')
const product = await startProduct(cluster, ['--record', folder])
const { kubectl } = cluster
const { apply, aNamespace } = actionsOf(cluster)
const SECRET = 'hunter2-do-not-tell'

/** Creates, updates and deletions of all kinds, with every outcome. */
async function traffic (): Promise<void> {
  const namespace = await aNamespace('traffic')
  const config = (spec: object) => manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec })
  await apply(
    manifest({ kind: 'AIMClusterRuntimeConfig', name: 'shared', spec: { defaultStorageClassName: 'slow' } }),
    config(routed(BY_TEAM))
  )
  const service = (name: string, parts: object = {}) => manifest({
    namespace,
    name,
    labels: { team: 'nlp' },
    metadata: { annotations: { note: SECRET } },
    spec: { env: [{ name: 'TOKEN', value: SECRET }] },
    ...parts
  })
  await apply(
    service('first'),
    service('second'),
    service('shared', { spec: { runtimeConfigName: 'shared' } }),
    service('none', { spec: { runtimeConfigName: 'none' } })
  )
  await apply(service('unlabelled', { labels: {} }))
  await apply(service('thief', { spec: routed(`/${namespace}/nlp/first`) }))
  await apply(service('above', { spec: routed(`/${namespace}/nlp`) }))
  await apply(
    service('first', { labels: { team: 'vision' } }),
    service('second', { spec: { env: [{ name: 'TOKEN', value: `${SECRET}-2` }] } })
  )
  await kubectl(['-n', namespace, 'label', 'aimsvc/second', 'team-'])
  await kubectl(['create', '--dry-run=server', '-f', '-'], service('dry'))
  await kubectl(
    ['create', '-f', '-'],
    JSON.stringify({
      apiVersion: 'aim.silogen.ai/v1alpha1',
      kind: 'AIMService',
      metadata: { namespace, generateName: 'made-' },
      spec: { model: { ref: 'a' } }
    })
  )
  await apply(config(routed('/{.metadata.namespace}/moved/{.metadata.name}')))
  await apply(config(routed('/{')))
  await kubectl(['-n', namespace, 'delete', 'aimrcfg/default'])
  await kubectl(['-n', namespace, 'delete', 'aimsvc', '--all'])
}

async function replayed (dir: string, more: { output?: string, webhooksOver?: WebhooksOver } = {}): Promise<Shown> {
  const { output = 'report', webhooksOver } = more
  const { terminal, shown } = fakeTerminal()
  await reviewCommand({
    ...terminal,
    version: '9.9.9',
    ...(webhooksOver !== undefined && { webhooksOver })
  }).parseAsync(['--replay', dir, '-o', output], { from: 'user' })
  return shown
}

async function recorded (): Promise<{ file: string, records: ReviewRecord[] }> {
  const [name = ''] = await readdir(folder)
  const text = await readFile(path.join(folder, name), 'utf8')
  return {
    file: name,
    records: text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ReviewRecord)
  }
}

await traffic()
const { probeUrl } = product
const metrics = await (await fetch(`${probeUrl}/metrics`)).text()
await product.stop()

t.test('every review of real traffic is written or a duplicate', async (t) => {
  const counts = Object.fromEntries(
    [...metrics.matchAll(/^aim_admission_reviews_recorded_total\{outcome="(\w+)"\} (\d+)$/gm)].map(
      ([, outcome = '', count]) => [outcome, Number(count)]
    )
  )
  t.strictSame(Object.keys(counts).filter((outcome) => outcome !== 'written' && outcome !== 'duplicate'), [])
  const { records } = await recorded()
  t.equal(records.length, counts['written'])
  const webhooks = ['mutate-aimservices', 'validate-aimservices', 'validate-aimruntimeconfigs']
  for (const webhook of [...webhooks, 'validate-aimclusterruntimeconfigs']) {
    t.ok(records.some((record) => record.webhook === webhook), webhook)
  }
  t.ok(records.filter(({ response }) => response.allowed === false).length >= 3, 'refusals are recorded')
  t.ok(records.filter(({ response }) => response.warnings !== undefined).length >= 3, 'warnings are recorded')
})

t.test('the files contain no secret value', async (t) => {
  for (const name of await readdir(folder)) {
    t.notMatch(await readFile(path.join(folder, name), 'utf8'), new RegExp(`${SECRET}|kubernetes-admin|system:masters`))
  }
})

t.test('the same version replays every response unchanged', async (t) => {
  const { records } = await recorded()
  const { out, err, code } = await replayed(folder)
  t.match(
    out,
    new RegExp(
      `^${records.length} reviews recorded by \\d+\\.\\d+\\.\\d+, replayed by 9\\.9\\.9: ` +
      `${records.length} equal, 0 different\n$`
    )
  )
  t.equal(err, '')
  t.equal(code, 0)
})

t.test('reports exactly the response that another version gave', async (t) => {
  const { file, records } = await recorded()
  const at = records.findIndex(({ response }) => response.allowed === false)
  const edited = records.map((record, index) =>
    index === at ? { ...record, version: '0.0.9', response: { allowed: true } } : record
  )
  const dir = path.join(cluster.dir, 'edited')
  await mkdir(dir)
  await writeFile(path.join(dir, file), edited.map((record) => `${JSON.stringify(record)}\n`).join(''))
  const { out, code } = await replayed(dir, { output: 'json' })
  t.equal(code, 1)
  t.match(out.trim().split('\n').map((line): unknown => JSON.parse(line)), [{
    line: at + 1,
    recordedBy: '0.0.9',
    changes: [
      { field: 'allowed', recorded: true, now: false }, { field: 'code', now: 422 },
      { field: 'message' }, { field: 'causes' }, { field: 'audit' }
    ]
  }])
  t.equal(out.trim().split('\n').length, 1)
})

t.test('reports a changed message in exactly the affected responses', async (t) => {
  const message = 'runtime configuration "none" is missing'
  const { records } = await recorded()
  const affected = records.filter(({ response }) =>
    JSON.stringify(response).includes(JSON.stringify(message).slice(1, -1))
  )
  t.ok(affected.length > 0)
  const webhooksOver: WebhooksOver = (world, policy) => webhooksFor(world, policy).map((webhook) => ({
    ...webhook,
    decide: (request) => {
      const verdict = webhook.decide(request)
      return {
        ...verdict,
        warnings: verdict.warnings.map((warning) => warning.replace(message, 'there is no configuration "none"'))
      }
    }
  }))
  const { out, code } = await replayed(folder, { webhooksOver })
  t.equal(code, 1)
  t.equal([...out.matchAll(/ has a different response /g)].length, affected.length)
  t.equal([...out.matchAll(/^ {2}warnings$/gm)].length, affected.length)
  t.match(
    out,
    /^AIMService traffic\/none: CREATE at mutate-aimservices has a different response \(.*\.jsonl:\d+\)\n {2}warnings\n {4}- \["runtime configuration/m
  )
})

t.test('a folder without records is an error', async (t) => {
  const empty = path.join(cluster.dir, 'empty')
  await mkdir(empty)
  const { terminal, shown } = fakeTerminal()
  const program = await newProgram(
    { name: 'aim-admission', version: '1.2.3', description: '', terminal },
    (name) => name === 'review'
  )
  await program.parseAsync(['review', '--replay', empty], { from: 'user' })
  t.match(shown, { err: /empty has no recorded review; give the folder of serve --record\n$/, code: 2 })
})
