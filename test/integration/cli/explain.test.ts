import t, { type Test } from 'tap'
import { explainCommand } from '../../../src/cli/commands/explain/command.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'

const FILES = {
  'c.yaml': manifest({
    kind: 'AIMRuntimeConfig',
    namespace: 'ml-team',
    name: 'default',
    spec: { serviceAccountName: 'aim-runtime', ...routed(BY_TEAM) }
  }),
  's.yaml': ['one', 'two']
    .map((name) => manifest({ namespace: 'ml-team', name, labels: { team: 'A_B' } }))
    .join('\n'),
  'broken.yaml': manifest({ namespace: 'ml-team', name: 'x', spec: { replicas: 'two' } })
}

async function run (t: Test, ...flags: string[]): Promise<Shown> {
  const folder = t.testdir(FILES)
  const { terminal, shown } = fakeTerminal()
  await explainCommand(terminal).parseAsync(flags.map((flag) => flag.replace(/^\$/, `${folder}/`)), { from: 'user' })
  return { ...shown, err: shown.err.replaceAll(`${folder}/`, '') }
}

t.test('explains a service of files as a table', async (t) => {
  const { out, code } = await run(t, 'one', '-f', '$c.yaml', '-f', '$s.yaml')
  t.match(
    out,
    /^AIMService ml-team\/one\nConfiguration: AIMRuntimeConfig ml-team\/default \(spec\.runtimeConfigName is not set, /
  )
  t.match(out, / {2}AIMClusterRuntimeConfig default: not found\n/)
  t.match(out, /^serviceAccountName +aim-runtime +namespace config +service: not set$/m)
  t.match(out, /^routing\.enabled +true +namespace config +service: not set;/m)
  t.match(out, /^routing\.gatewayRef +kgateway-system\/kserve-gateway +namespace config +service: not set$/m)
  t.match(out, /^Path: \/ml-team\/a_b\/one\n/m)
  t.match(out, /^\{\.metadata\.labels\['team'\]\} +A_B +a_b$/m)
  t.equal(code, 0)
})

t.test('the tables have at most 100 columns, and name a gateway by namespace and name', async (t) => {
  const gatewayRef = { name: 'kserve-gateway', namespace: 'kgateway-system', sectionName: 'https', port: 8443 }
  const pathTemplate = `/${'long/'.repeat(20)}{.metadata.labels['team']}`
  const folder = t.testdir({
    'c.yaml': manifest({
      kind: 'AIMRuntimeConfig',
      namespace: 'ml-team',
      name: 'default',
      spec: { imagePullSecrets: [{ name: 'a' }, { name: 'b' }], routing: { enabled: true, gatewayRef, pathTemplate } }
    }),
    's.yaml': manifest({
      namespace: 'ml-team', name: 'one', labels: { team: 'x' }, spec: { routing: { gatewayRef: { name: 'own' } } }
    })
  })
  const { terminal, shown } = fakeTerminal()
  await explainCommand(terminal).parseAsync(['-f', folder], { from: 'user' })
  const lines = shown.out.split('\n')
  t.strictSame(lines.filter((line) => line.length > 100 && !line.startsWith('Path: ')), [])
  t.match(shown.out, /^routing\.gatewayRef +own +service +namespace config:$/m)
  t.match(shown.out, /^ +kgateway-system\/\n +kserve-gateway, section\n +https, port 8443$/m)
  t.match(shown.out, /^imagePullSecrets +a, b +namespace config/m)
})

t.test('json has a line per service; without a name, of every service', async (t) => {
  const { out } = await run(t, '-f', '$c.yaml', '-f', '$s.yaml', '-o', 'json')
  t.match(out.trimEnd().split('\n').map((line) => JSON.parse(line) as object), [
    { name: 'one', config: 'AIMRuntimeConfig ml-team/default', path: { path: '/ml-team/a_b/one' } }, { name: 'two' }
  ])
})

t.test('reports a missing configuration', async (t) => {
  const { out } = await run(t, 'aimsvc/one', '-f', '$s.yaml')
  t.match(out, /^Configuration: missing, so no settings are injected/m)
  t.notMatch(out, /SETTING/)
})

const unusable: Record<string, { readonly flags: readonly string[], readonly want: RegExp }> = {
  'a missing service': {
    flags: ['none', '-f', '$s.yaml', '-n', 'ml-team'],
    want: /^error: there is no AIMService none in the namespace ml-team\n$/
  },
  'a schema violation': {
    flags: ['x', '-f', '$broken.yaml'],
    want: /^error: broken\.yaml:1:\d+: spec\.replicas: /
  },
  'a missing kubeconfig': {
    flags: ['x', '--kubeconfig', '$none'],
    want: /^error: cannot connect to a cluster: failed to read kubeconfig none: /
  }
}
for (const [name, { flags, want }] of Object.entries(unusable)) {
  t.test(`${name} is unusable: exit 2`, async (t) => {
    const { err, code, out } = await run(t, ...flags)
    t.match(err, want)
    t.equal(code, 2)
    t.equal(out, '')
  })
}

t.test('--path-scope namespace applies as in serve', async (t) => {
  const folder = t.testdir({
    'c.yaml': FILES['c.yaml'], 's.yaml': manifest({ namespace: 'ml-team', name: 'one', spec: routed('/other/one') })
  })
  const explainedWith = async (...flags: string[]): Promise<string> => {
    const { terminal, shown } = fakeTerminal()
    await explainCommand(terminal).parseAsync(['-f', folder, ...flags], { from: 'user' })
    return shown.out
  }
  t.not(await explainedWith('--path-scope', 'namespace'), await explainedWith())
  t.match(await explainedWith('--path-scope', 'namespace'), /outside \/ml-team\//)
})
