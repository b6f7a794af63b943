import { chmod, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { newProgram } from '../../../src/cli/program.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { actionsOf, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { startProduct, startReconciler } from '../../support/programs/product.ts'
import { runPasted } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})
const { client, kubeconfig, dir } = cluster
const { store, apply, aNamespace, get } = actionsOf(cluster)

/** Runs a command of the program against the cluster. */
async function run (...args: string[]): Promise<Shown> {
  const { terminal, shown } = fakeTerminal()
  const program = await newProgram(
    { name: 'aim-admission', version: '1.2.3', description: '', terminal },
    (name) => name === args[0]
  )
  await program.parseAsync(args, { from: 'user' })
  return shown
}

async function file (name: string, ...manifests: string[]): Promise<string> {
  await writeFile(path.join(dir, name), manifests.join('\n'))
  return path.join(dir, name)
}

const lines = (out: string) =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonObject)
const config = (namespace: string, spec: object) =>
  manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec })

t.test('review uses configurations, paths and stored services of the cluster', async (t) => {
  const namespace = await aNamespace('known')
  await store(
    config(namespace, routed("/{.metadata.labels['team']}")),
    manifest({ namespace, name: 'first', labels: { team: 'nlp' } })
  )
  const objects = [
    manifest({ namespace, name: 'second', labels: { team: 'nlp' } }),
    manifest({ namespace, name: 'first', labels: { team: 'vision' } })
  ]
  const { out, code } = await run(
    'review',
    '-f',
    await file('known.json', ...objects),
    '--kubeconfig',
    kubeconfig,
    '-o',
    'json'
  )
  t.match(lines(out), [
    {
      name: 'second',
      allowed: false,
      status: { message: /path \/nlp is already held by AIMService known\/first/ }
    },
    {
      name: 'first',
      allowed: true,
      warnings: ['the live path moves from /nlp to /vision; clients of the old path will fail']
    }
  ])
  t.equal(code, 1)
})

t.test('a missing context is unusable', async (t) => {
  const { err, code } = await run(
    'review',
    '-f',
    await file('a.json', manifest({ name: 'a' })),
    '--kubeconfig',
    kubeconfig,
    '--context',
    'none'
  )
  t.equal(err, 'error: cannot connect to a cluster: the kubeconfig has no context "none"; its contexts are test\n')
  t.equal(code, 2)
})

t.test('commands use the files, user and namespace that kubectl uses', async (t) => {
  const namespace = await aNamespace('context')
  await store(config(namespace, routed()), manifest({ namespace, name: 'one' }))
  // the test cluster writes JSON
  const { clusters, users: [{ user: { token } }] } = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: object[], users: [{ user: { token: string } }]
  }
  await file('credential', JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token }
  }))
  await file('login', '#!/bin/sh', `echo "log in at example.com" >&2; exec cat ${path.join(dir, 'credential')}`)
  await chmod(path.join(dir, 'login'), 0o755)
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './login', interactiveMode: 'Never' }
  const contexts = [{ name: 'work', context: { cluster: 'test', user: 'me', namespace } }]
  const first = await file('contexts', JSON.stringify({ contexts, 'current-context': 'work' }))
  const second = await file('rest', JSON.stringify({ clusters, users: [{ name: 'me', user: { exec } }] }))
  const KUBECONFIG = [path.join(dir, 'none'), first, second].join(path.delimiter)
  const commands = ['explain one -o json', 'review -f a.json -o json --context work', 'doctor -o json']
  await file('a.json', manifest({ name: 'a' }))
  const [explained, reviewed, examined] = await Promise.all(commands.map(async (command) =>
    await runPasted(`aim-admission ${command.replace('a.json', path.join(dir, 'a.json'))}`, { KUBECONFIG, HOME: dir })))
  t.match(explained, { code: 0, stderr: 'log in at example.com\n' })
  t.match(lines(explained?.stdout ?? ''), [{ namespace, name: 'one' }])
  t.match(lines(reviewed?.stdout ?? ''), [{ namespace, name: 'a', allowed: true }])
  t.match(examined, { code: 0, stdout: /"kind":"ok"/ })
})

t.test('a large integer keeps its digits in the path, also in review', async (t) => {
  const namespace = await aNamespace('digits')
  await store(config(namespace, routed('/{.spec.resources.limits.cpu}')))
  for (const digits of ['9007199254740992', '9007199254740993']) {
    const text = manifest({ namespace, name: `s${digits}`, spec: { resources: { limits: { cpu: 'CPU' } } } })
      .replace('"CPU"', digits)
    t.equal((await apply(text)).code, 0)
    t.equal(await get(namespace, `s${digits}`, PATH), `/${digits}`)
    const { out } = await run('review', '-f', await file('digits.json', text), '--kubeconfig', kubeconfig)
    t.match(out, new RegExp(`cpu: ${digits}\n`))
    t.match(out, `path: /${digits}`)
  }
})

const CLASS = JSON.stringify({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'fast-nvme' },
  provisioner: 'none.example.com'
})

t.test('explain reads one namespace, and checks the objects of the settings', async (t) => {
  const namespace = await aNamespace('explained')
  const secrets = `/api/v1/namespaces/${namespace}/secrets`
  await store(CLASS)
  await client.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'aim-runtime' } })
  await client.create(secrets, { metadata: { name: 'opaque' }, stringData: { a: 'b' } })
  await client.create(secrets, {
    metadata: { name: 'registry' },
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': '{"auths":{}}' }
  })
  const spec = {
    defaultStorageClassName: 'fast-nvme',
    serviceAccountName: 'aim-runtime',
    imagePullSecrets: ['registry', 'opaque', 'gone'].map((name) => ({ name })),
    ...routed()
  }
  await store(config(namespace, spec), manifest({ namespace, name: 'one' }))
  const { out, code } = await run(
    'explain',
    'one',
    '-n',
    namespace,
    '--check',
    '-o',
    'json',
    '--kubeconfig',
    kubeconfig
  )
  const [{ config: title, current, path: explained, checks } = {}] = lines(out)
  t.equal(title, 'AIMRuntimeConfig explained/default')
  t.equal(current, true)
  t.match(explained, { path: '/explained/one' })
  t.match(checks, [
    { object: 'ServiceAccount explained/aim-runtime', verdict: 'usable' },
    { object: 'Secret explained/registry', verdict: 'usable' },
    { object: 'Secret explained/opaque', verdict: 'unusable', reason: /^its type is Opaque; / },
    { object: 'Secret explained/gone', verdict: 'missing', reason: 'secrets "gone" not found' },
    { object: 'StorageClass fast-nvme', verdict: 'usable' },
    { object: 'Gateway kgateway-system/kserve-gateway', verdict: 'missing' }
  ])
  t.equal(code, 1)
})

const statusOf = async (namespace: string): Promise<Shown> =>
  await run('status', 'default', '-n', namespace, '--kubeconfig', kubeconfig)

t.test('what-if predicts what a changed configuration does once applied', async (t) => {
  const namespace = await aNamespace('predicted')
  const reconciler = await startReconciler(cluster, ['--rollout-failure-limit', '100'])
  t.teardown(async () => { await reconciler.stop() })
  const services = Array.from({ length: 50 }, (_, at) => manifest({
    namespace,
    name: `s${at}`,
    labels: at % 5 === 0 ? {} : { team: at % 5 === 1 ? 'shared' : `t${at}` },
    spec: at % 7 === 0 ? routed(`/own/${at}`) : {}
  }))
  await store(config(namespace, routed()), ...services)
  await until(async () =>
    /^AIMRuntimeConfig predicted\/default +50\/50 +\d+ failing +RolledOut$/m.test((await statusOf(namespace)).out))
  const changed = config(namespace, routed("/moved/{.metadata.labels['team']}"))
  const { out } = await run(
    'review',
    '--what-if',
    await file('changed.json', changed),
    '--kubeconfig',
    kubeconfig,
    '-o',
    'json'
  )
  const predicted = lines(out).filter((line) => line['namespace'] === namespace)
  t.same([...new Set(predicted.map(({ effect }) => effect))].sort(), ['breaks', 'moves', 'stays'])

  const before = await pathsIn(namespace)
  await store(changed)
  await until(async () => (await get(namespace, 's48', PATH)).startsWith('/moved') && (await settled(namespace)))
  const after = await pathsIn(namespace)
  const happened = Object.fromEntries([...after].map(([name, { path, degraded }]) =>
    [name, degraded ? 'breaks' : path === before.get(name)?.path ? 'stays' : 'moves']))
  t.same(happened, Object.fromEntries(predicted.map(({ name, effect }) => [name, effect])))
})

interface Seen { readonly path: string, readonly degraded: boolean }

async function pathsIn (namespace: string): Promise<Map<string, Seen>> {
  const { items = [] } = await client.stored<{
    items: Array<{ metadata: { name: string }, spec: JsonObject, status?: { conditions?: JsonObject[] } }>
  }>(inNamespace(namespace).services) ?? {}
  return new Map(items.map(({ metadata: { name }, spec, status }) => {
    const { path = '' } = (spec['resolvedRuntimeConfig'] as { routing: { path?: string } }).routing
    return [
      name,
      {
        path,
        degraded:
          status?.conditions?.some(({ type, status: state }) => type === 'Degraded' && state === 'True') ?? false
      }
    ]
  }))
}

/** Whether every service has the new version and a current status. */
async function settled (namespace: string): Promise<boolean> {
  const { services, configs } = inNamespace(namespace)
  const current = await client.values(`${configs}/default`, '.status.services.current')
  const [generations, observed] = await Promise.all(
    ['metadata.generation', 'status.observedGeneration'].map(
      async (field) => await client.values(services, `.items[*].${field}`)
    )
  )
  return (
    current === '50' &&
    generations === observed &&
    (await client.values(services, '.items[*].status.conditions[?(@.reason=="RollingOut")].reason')) === ''
  )
}
