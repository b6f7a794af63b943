import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BY_TEAM, GATEWAY, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { startProduct } from '../../support/programs/product.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const { kubectl } = cluster
const { apply, get, aNamespace } = actionsOf(cluster)
const UNREADABLE = { routing: { enabled: true, pathTemplate: '/{' } }
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})

t.test('every example is admitted, a second apply changes nothing, and there is no difference to show', async (t) => {
  const first = await kubectl(['apply', '-f', 'deploy/examples'])
  t.equal(first.code, 0, first.stderr)
  t.equal(first.stderr, '')
  const second = await kubectl(['apply', '-f', 'deploy/examples'])
  t.notMatch(second.stdout, /^aim\S+ (created|configured)/m)
  const diff = await kubectl(['diff', '-f', 'deploy/examples'])
  t.strictSame([diff.code, diff.stdout], [0, ''])
  const serverSide = await kubectl([
    'diff',
    '--server-side',
    '--force-conflicts',
    '--field-manager=kubectl-client-side-apply',
    '-f',
    'deploy/examples'
  ])
  t.strictSame([serverSide.code, serverSide.stdout], [0, ''], serverSide.stderr)
})

t.test('own pull secrets stay as they were written, and the block lists both', async (t) => {
  const namespace = await aNamespace('pull-secrets')
  const service = manifest({ namespace, name: 'a', spec: { imagePullSecrets: [{ name: 'own' }] } })
  await apply(
    manifest({
      kind: 'AIMRuntimeConfig',
      namespace,
      name: 'default',
      spec: { imagePullSecrets: [{ name: 'registry' }] }
    }),
    service
  )
  t.equal(await get(namespace, 'a', '.spec.imagePullSecrets[*].name'), 'own')
  t.equal(await get(namespace, 'a', '.spec.resolvedRuntimeConfig.imagePullSecrets[*].name'), 'own registry')
  t.match((await apply(service)).stdout, /unchanged/)
  t.equal((await kubectl(['diff', '-f', '-'], service)).stdout, '')
  for (const round of ['first', 'second']) {
    const { code, stderr } = await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], service)
    t.equal(code, 0, `${round}: ${stderr}`)
  }
  t.equal((await kubectl(['diff', '--server-side', '-f', '-'], service)).stdout, '')
})

t.test('a server-side dry run shows the path and stores nothing', async (t) => {
  const namespace = await aNamespace('dry-run')
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed() }))
  const { stdout } = await kubectl(
    ['apply', '--dry-run=server', '-o', `jsonpath={${PATH}}`, '-f', '-'],
    manifest({ namespace, name: 'a' })
  )
  t.equal(stdout, '/dry-run/a')
  t.match((await kubectl(['-n', namespace, 'get', 'aimservice', 'a'])).stderr, /NotFound/)
})

t.test('a template reads the name of the configuration that a service leaves out', async (t) => {
  const namespace = await aNamespace('unnamed')
  const service = manifest({ namespace, name: 'a' })
  const template = '/{.metadata.namespace}/{.spec.runtimeConfigName}'
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed(template) }), service)
  t.equal(await get(namespace, 'a', PATH), '/unnamed/default')
  t.match((await apply(service)).stdout, /unchanged/)
})

t.test('a configuration and its service in one file resolve, with and without one of that name in the cluster', async (t) => {
  const namespace = await aNamespace('bundles')
  const names = Array.from({ length: 200 }, (_, index) => `bundle-${index}`)
  await apply(
    ...names.filter((_, index) => index % 2 === 0).map((name) => manifest({ kind: 'AIMClusterRuntimeConfig', name }))
  )
  for (const batch of [names.slice(0, 100), names.slice(100)]) {
    const { code, stderr } = await apply(...batch.flatMap((name) => [
      manifest({ kind: 'AIMRuntimeConfig', namespace, name }), manifest({ namespace, name, spec: { runtimeConfigName: name } })
    ]))
    t.strictSame([code, stderr], [0, ''])
  }
  const kinds = (
    await kubectl(['-n', namespace, 'get', 'aimservices', '-o', 'jsonpath={.items[*].spec.resolvedRuntimeConfig.kind}'])
  ).stdout.split(' ')
  t.strictSame([kinds.length, ...new Set(kinds)], [200, 'AIMRuntimeConfig'])
})

t.test('a name that is still to be made leaves the path open, until the next write', async (t) => {
  const namespace = await aNamespace('generated')
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed() }))
  const name = (
    await kubectl(
      ['create', '-o', 'jsonpath={.metadata.name}', '-f', '-'],
      manifest({ namespace, metadata: { generateName: 'llama-' } })
    )
  ).stdout
  t.match(name, /^llama-/)
  t.equal(await get(namespace, name, PATH), '')
  await kubectl(['-n', namespace, 'patch', `aimservice/${name}`, '--type=merge', '-p', '{}'])
  t.equal(await get(namespace, name, PATH), `/generated/${name}`)
})

t.test('a block edited by hand is put right, and a switched name leaves nothing of the old configuration', async (t) => {
  const namespace = await aNamespace('edited')
  await apply(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: { defaultStorageClassName: 'fast', ...routed() } }),
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'bare' }), manifest({ namespace, name: 'a' }))
  const edit = JSON.stringify({ spec: { resolvedRuntimeConfig: { defaultStorageClassName: 'mine' } } })
  const { stderr } = await kubectl(['-n', namespace, 'patch', 'aimservice/a', '--type=merge', '-p', edit])
  t.match(stderr, /Warning: spec.resolvedRuntimeConfig is written by admission only/)
  t.equal(await get(namespace, 'a', '.spec.resolvedRuntimeConfig.defaultStorageClassName'), 'fast')
  const moved = await apply(manifest({ namespace, name: 'a', spec: { runtimeConfigName: 'bare' } }))
  t.match(moved.stderr, /Warning: the live path \/edited\/a is withdrawn/)
  const block = JSON.parse(await get(namespace, 'a', '.spec.resolvedRuntimeConfig')) as object
  t.strictSame(Object.keys(block).sort(), ['hash', 'kind', 'model', 'name', 'namespace', 'routing', 'scope'])
})

t.test('refusals read as kubectl prints them, and the printed command fixes them', async (t) => {
  const namespace = await aNamespace('refused')
  await apply(
    manifest({
      kind: 'AIMRuntimeConfig',
      namespace,
      name: 'default',
      spec: { routing: { gatewayRef: GATEWAY, pathTemplate: BY_TEAM } }
    }),
    manifest({ namespace, name: 'a' })
  )
  const enabled = manifest({ namespace, name: 'a', spec: { routing: { enabled: true } } })
  const refused = await apply(enabled)
  t.equal(refused.code, 1)
  t.match(
    refused.stderr,
    /^The AIMService "a" is invalid: metadata\.labels\[team\]: label "team" is not set on this service/m
  )
  const command = /run: kubectl (.+)$/m.exec(refused.stderr)?.[1]?.trim().replace('<team>', 'nlp').split(' ') ?? []
  t.strictSame(command, ['-n', namespace, 'label', 'aimsvc/a', 'team=nlp'])
  t.equal((await kubectl(command)).code, 0)
  t.equal((await apply(enabled)).code, 0)
  t.equal(await get(namespace, 'a', PATH), '/refused/nlp/a')
})

t.test('templates and paths of exactly 200 characters pass, and of 201 do not', async (t) => {
  const namespace = await aNamespace('lengths')
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default' }))
  const service = (name: string, template: string): string => manifest({ namespace, name, spec: routed(template) })
  t.equal((await apply(service('t200', '/' + 't'.repeat(199)))).code, 0)
  t.match((await apply(service('t201', '/' + 't'.repeat(200)))).stderr, /201 characters, at most 200/)
  const long = (length: number): string =>
    `/{.metadata.namespace}/${'é'.repeat(31)}${'p'.repeat(length - '/lengths/'.length - 31 * '%C3%A9'.length)}`
  t.equal((await apply(service('p200', long(200)))).code, 0)
  t.equal((await get(namespace, 'p200', PATH)).length, 200)
  t.match((await apply(service('p201', long(201)))).stderr, /the rendered path has 201 characters, at most 200/)
})

t.test('two services whose labels differ only in case cannot hold the same path', async (t) => {
  const namespace = await aNamespace('conflict')
  await apply(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed("/{.metadata.labels['team']}") })
  )
  t.equal((await apply(manifest({ namespace, name: 'first', labels: { team: 'nlp' } }))).code, 0)
  let refused = await kubectl(
    ['apply', '--dry-run=server', '-f', '-'],
    manifest({ namespace, name: 'second', labels: { team: 'NLP' } })
  )
  for (let attempt = 0; refused.code === 0 && attempt < 50; attempt++) { // the watch delivers the first in its own time
    refused = await kubectl(
      ['apply', '--dry-run=server', '-f', '-'],
      manifest({ namespace, name: 'second', labels: { team: 'NLP' } })
    )
  }
  t.match(
    refused.stderr,
    /path \/nlp is already held by AIMService conflict\/first on gateway kgateway-system\/kserve-gateway/
  )
})

t.test('a finalizer can always be removed', async (t) => {
  const namespace = await aNamespace('deleted')
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed() }),
    manifest({ namespace, name: 'a', metadata: { finalizers: ['example.com/hold'] } }))
  await kubectl(['-n', namespace, 'delete', 'aimservice', 'a', '--wait=false'])
  t.equal(
    (
      await kubectl([
        '-n',
        namespace,
        'patch',
        'aimservice/a',
        '--type=merge',
        '-p',
        '{"metadata":{"finalizers":null}}'
      ])
    ).code,
    0
  )
  t.match((await kubectl(['-n', namespace, 'get', 'aimservice', 'a'])).stderr, /NotFound/)
})

t.test('configurations: faults are refused, consequences are reported, credentials have their place', async (t) => {
  const namespace = await aNamespace('configs')
  const config = (spec: object): string => manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'own', spec })
  t.match(
    (await apply(config({ routing: { pathTemplate: '/{.metadata.name' } }))).stderr,
    /is invalid: spec\.routing\.pathTemplate: /
  )
  t.match(
    (await apply(manifest({ kind: 'AIMClusterRuntimeConfig', name: 'shared', spec: { serviceAccountName: 'a' } })))
      .stderr,
    /AIMRuntimeConfig/
  )
  await apply(config(routed()), manifest({ namespace, name: 'a', spec: { runtimeConfigName: 'own' } }))
  t.match((await apply(config(routed(BY_TEAM)))).stderr, /Warning: 1 service \(configs\/a\) would lose its path/)
  t.match(
    (await kubectl(['-n', namespace, 'delete', 'aimrcfg', 'own'])).stderr,
    /Warning: 1 service \(configs\/a\) uses AIMRuntimeConfig configs\/own and is left without/
  )
  t.match(
    (await apply(manifest({ namespace, name: 'lost', spec: { runtimeConfigName: 'nowhere' } }))).stderr,
    /Warning: runtime configuration "nowhere" is missing/
  )
})

t.test('kubectl explain says what a path template is', async (t) => {
  const { stdout } = await kubectl(['explain', 'aimservice.spec.routing.pathTemplate'])
  t.match(stdout, /FIELD: pathTemplate <string>/)
  t.match(stdout, /200 characters/)
})

t.test('the audit log has the configuration, its hash, and the path or the faults of each decision', async (t) => {
  const namespace = await aNamespace('audited')
  const audited = async (name: string) =>
    (await cluster.audited()).findLast(({ verb, objectRef }) => objectRef?.name === name && verb !== 'get')?.annotations
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default' }))
  await apply(manifest({ namespace, name: 'judged', spec: { routing: { enabled: true } } }))
  const config = `AIMRuntimeConfig ${namespace}/default`
  t.match(await audited('judged'), {
    'mutate-aimservices.aim.silogen.ai/config': config,
    'mutate-aimservices.aim.silogen.ai/path': '/audited/judged',
    'validate-aimservices.aim.silogen.ai/hash': /^sha256:/,
    'validate-aimservices.aim.silogen.ai/path': '/audited/judged'
  })
  await apply(manifest({ namespace, name: 'refused', spec: UNREADABLE }))
  t.match(await audited('refused'), {
    'validate-aimservices.aim.silogen.ai/config': config,
    'validate-aimservices.aim.silogen.ai/faults': 'AIM-TEMPLATE-SYNTAX'
  })
})

t.test('no webhook is called for an exempt namespace', async (t) => {
  const { code, stderr } = await apply(manifest({ namespace: await aNamespace('aim-system'), name: 'own', spec: UNREADABLE }))
  t.equal(code, 0, stderr)
})
