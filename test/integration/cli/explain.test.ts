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
  t.match(out, /^serviceAccountName +aim-runtime +namespace config spec\.serviceAccountName +service: not set$/m)
  t.match(out, /^routing\.enabled +true +namespace config spec\.routing\.enabled +service: not set; default: false$/m)
  t.match(out, /^Path: \/ml-team\/a_b\/one\n/m)
  t.match(out, /^\{\.metadata\.labels\['team'\]\} +A_B +a_b$/m)
  t.equal(code, 0)
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
