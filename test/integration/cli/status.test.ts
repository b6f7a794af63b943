import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { watchRollouts } from '../../../src/cli/commands/status/command.ts'
import { newProgram } from '../../../src/cli/program.ts'
import { connectToCluster } from '../../../src/kube/client/api-connection.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { FakeApiServer, status as failure } from '../../support/fakes/fake-api-server.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { until } from '../../support/until.ts'

const GROUP = '/apis/aim.silogen.ai/v1alpha1'
const [CLUSTER, ALL, TEAM] =
  [`${GROUP}/aimclusterruntimeconfigs`, `${GROUP}/aimruntimeconfigs`, `${GROUP}/namespaces/ml-team/aimruntimeconfigs`]
const server = new FakeApiServer()
await server.start()
for (const collection of [CLUSTER, ALL, TEAM]) server.serve(collection)
const kubeconfig = path.join(t.testdir({}), 'kubeconfig')
await writeFile(kubeconfig, server.kubeconfig)
t.teardown(async () => { await server.stop() })

type Tally = readonly [current: number, total: number, failing: number]

function config (reason: string, [current, total, failing]: Tally, message = 'in words'): Record<string, unknown> {
  const type = reason === 'PathTemplateInvalid' ? 'Accepted' : 'RolledOut'
  return {
    metadata: { generation: 3 },
    status: {
      observedGeneration: 3,
      hash: 'sha256:abc',
      services: { total, current, failing },
      conditions: [{ type, status: 'False', reason, message }]
    }
  }
}

/** The other collections have the same objects, as in an API server. */
function put (name: string, fields: Record<string, unknown>): void {
  for (const collection of [ALL, TEAM]) server.put(collection, name, fields)
}

put('done', config('RolledOut', [20, 20, 2], 'every service has it'))
put('moving', config('InProgress', [5, 20, 0], 'is being rolled out'))
put('waiting', config('Paused', [0, 7, 0], 'the rollout is paused; to resume: kubectl annotate x'))
put('unread', { ...config('RolledOut', [1, 1, 0]), metadata: { generation: 4 } })
server.put(CLUSTER, 'default', {
  ...config('Halted', [3, 9, 3], 'halted,\u001B[2J because x'), metadata: { namespace: '', generation: 3 }
})

const SCREEN = () => ({ columns: 120, rows: 30 })

async function run (flags: readonly string[], screen?: typeof SCREEN): Promise<Shown> {
  const { terminal, shown } = fakeTerminal({ screen })
  const about = { name: 'aim-admission', version: '1.2.3', description: '', terminal }
  const program = await newProgram(about, (name) => name === 'status')
  await program.parseAsync(['status', '--kubeconfig', kubeconfig, ...flags], { from: 'user' })
  return shown
}

t.test('without a terminal: a plain line for each configuration, those that need a user first', async (t) => {
  const { out, err, code } = await run(['-n', 'ml-team'])
  t.strictSame(out.trimEnd().split('\n').map((line) => line.split(/ {2,}/)), [
    ['AIMClusterRuntimeConfig default', '3/9', '3 failing', 'Halted', 'halted,\\u{1b}[2J because x'],
    ['AIMRuntimeConfig ml-team/waiting', '0/7', '0 failing', 'Paused',
      'the rollout is paused; to resume: kubectl annotate x'],
    ['AIMRuntimeConfig ml-team/moving', '5/20', '0 failing', 'InProgress'],
    ['AIMRuntimeConfig ml-team/unread', '1/1', '0 failing', 'Pending',
      'the reconciler has not recorded this version yet'],
    ['AIMRuntimeConfig ml-team/done', '20/20', '2 failing', 'RolledOut']
  ])
  t.equal(err, '')
  t.equal(code, 1, 'a halted rollout needs a user')
})

t.test('on a terminal: bars, and the reason below', async (t) => {
  const { out } = await run(['-A'], SCREEN)
  t.match(out, /^AIMRuntimeConfig ml-team\/moving +█{5}░{15} +25% +5\/20 +0 failing +InProgress$/m)
  t.match(out, /^AIMRuntimeConfig ml-team\/done +█{20} 100% +20\/20 /m)
  t.match(out, /^AIMRuntimeConfig ml-team\/waiting .*\n {2}the rollout is paused; to resume: kubectl annotate x$/m)
})

t.test('json has one line for each configuration, and a name selects', async (t) => {
  const { out, code } = await run(['aimrcfg/moving', '-n', 'ml-team', '-o', 'json'])
  t.strictSame(JSON.parse(out), {
    kind: 'AIMRuntimeConfig',
    namespace: 'ml-team',
    name: 'moving',
    hash: 'sha256:abc',
    services: { total: 20, current: 5, failing: 0 },
    state: 'InProgress',
    message: 'is being rolled out'
  })
  t.equal(code, 0)
})

for (const reason of ['PathTemplateInvalid', 'RolloutAnnotationInvalid']) {
  t.test(`${reason} needs a user`, async (t) => {
    put('broken', config(reason, [0, 0, 0]))
    const { out, code } = await run(['broken', '-n', 'ml-team'])
    t.match(out, new RegExp(`^AIMRuntimeConfig ml-team/broken +0/0 +0 failing +${reason} +in words\n$`))
    t.equal(code, 1)
    for (const collection of [ALL, TEAM]) server.remove(collection, 'broken')
  })
}

t.test('a name without a configuration, and a refused list, are unusable', async (t) => {
  t.match(await run(['nothing', '-n', 'ml-team']), {
    out: '', err: 'error: there is no configuration nothing in the namespace ml-team, or of the cluster\n', code: 2
  })
  server.next('list', failure(500))
  t.match(await run(['-A', '--watch']), { out: '', err: /^error: failed to list .*: simulated failure\n$/, code: 2 })
  server.next('list', failure(403))
  server.next('list', failure(403))
  t.match(await run([]), { out: '', err: 'error: simulated failure\nerror: simulated failure\n', code: 2 })
})

t.test('with rights in one namespace only, it shows that, and says what may not be read', async (t) => {
  server.next('list', failure(403))
  const { out, err, code } = await run(['-n', 'ml-team'])
  t.match(out, 'AIMRuntimeConfig ml-team/moving')
  t.notMatch(out, 'AIMClusterRuntimeConfig')
  t.equal(err, 'warning: simulated failure\n')
  t.equal(code, 0)
})

interface Watched { readonly shown: Shown, readonly stop: () => Promise<void> }

async function watch (output: 'text' | 'json', screen?: () => { columns: number, rows: number }): Promise<Watched> {
  const { terminal, shown } = fakeTerminal({ screen })
  const connection = await connectToCluster({ kubeconfig, context: undefined, log: silentLog })
  const stopping = new AbortController()
  const watching = watchRollouts({ name: undefined, namespace: '' }, {
    listed: [],
    readable: [
      { kind: 'AIMClusterRuntimeConfig', path: CLUSTER }, { kind: 'AIMRuntimeConfig', path: ALL }
    ],
    request: connection.request,
    terminal,
    clock: systemClock,
    output,
    signal: stopping.signal
  })
  const stop = async (): Promise<void> => {
    stopping.abort()
    await watching
    await connection.close()
  }
  return { shown, stop }
}

t.test('watches: a line for each change without a terminal, and a warning while the API server is gone', async (t) => {
  const { shown, stop } = await watch('text')
  await until(() => shown.out.includes('ml-team/done') && server.openWatches === 2)
  t.equal(shown.out.match(/ml-team\/moving/g)?.length, 1)
  put('moving', config('InProgress', [12, 20, 0]))
  await until(() => shown.out.includes('12/20'))
  put('moving', { ...config('InProgress', [12, 20, 0]), spec: {} })
  put('done', config('RolledOut', [21, 21, 2]))
  await until(() => shown.out.includes('21/21'))
  t.equal(shown.out.match(/12\/20/g)?.length, 1, 'a change of nothing that is shown is no line')
  t.notMatch(shown.out, '█')
  server.next('watch', failure(500))
  server.endWatches()
  await until(() => shown.err.includes('warning: '))
  await stop()
})

t.test('watches: a terminal shows the last picture only, and what fits', async (t) => {
  const { shown, stop } = await watch('text', () => ({ columns: 100, rows: 7 }))
  await until(() => shown.out.includes('ml-team/waiting') && server.openWatches === 2)
  put('moving', config('InProgress', [19, 20, 0]))
  await until(() => shown.out.includes('more lines') && server.openWatches === 2)
  const pictures = shown.out.split('\u001B[J')
  t.ok(pictures.length > 1)
  for (const [at, picture] of pictures.entries()) {
    const rows = picture.replace(/\r\u001B\[\d+A$/, '') // eslint-disable-line no-control-regex
    const up = /\u001B\[(\d+)A$/.exec(picture)?.[1] // eslint-disable-line no-control-regex
    if (up !== undefined) t.equal(Number(up), rows.split('\n').length - 1, `picture ${at}`)
    t.ok(rows.split('\n').length <= 7, 'it never scrolls')
  }
  await stop()
})
