import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { newProgram } from '../../../src/cli/program.ts'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { runPasted, startProgram } from '../../support/programs/program.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'

/** Runs a command in this process, in an environment. */
async function run (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Shown> {
  const { terminal, shown } = fakeTerminal()
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, env)
  try {
    const program = await newProgram({ name: 'a', version: '1', description: '', terminal }, (name) => name === args[0])
    await program.parseAsync(args, { from: 'user' })
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  }
  return shown
}

/** A kubeconfig of a cluster that does not respond, with the contexts `team` and `other`. */
const KUBECONFIG = JSON.stringify({
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
  contexts: ['team', 'other'].map((name) => ({ name, context: { cluster: 'c', user: 'u', namespace: `${name}-ns` } })),
  'current-context': 'team'
})

async function given (t: Test) {
  const folder = t.testdir({ kubeconfig: KUBECONFIG, 's.json': manifest({ name: 'a' }) })
  return { folder, kubeconfig: path.join(folder, 'kubeconfig'), file: path.join(folder, 's.json') }
}

t.test('a manifest without namespace is in the namespace of the context, as for kubectl apply', async (t) => {
  const { kubeconfig, file } = await given(t)
  const namespaceOf = ({ out }: Shown): unknown => (JSON.parse(out) as { namespace: unknown }).namespace
  const review = ['review', '-o', 'json', '-f', file]
  const inContext = { KUBECONFIG: `${kubeconfig}.none:${kubeconfig}` }
  t.equal(namespaceOf(await run(review)), 'default')
  t.equal(namespaceOf(await run(review, inContext)), 'team-ns')
  t.equal(namespaceOf(await run([...review, '-n', 'mine'], inContext)), 'mine')
  const explained = await run(['explain', 'a', '-f', file, '-o', 'json', '--context', 'other'], inContext)
  t.equal(namespaceOf(explained), 'other-ns')
  const pod = { POD_NAMESPACE: 'mine' }
  t.equal(namespaceOf(await run(review, pod)), 'default', 'no pod without the token of a service account')
})

t.test('an exported object that is being deleted is reviewed as a new one', async (t) => {
  const metadata = { uid: 'u', deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 }
  const folder = t.testdir({
    'a.json': manifest({ name: 'a', metadata, spec: { routing: { pathTemplate: '/{.metadata.nothing}' } } }),
    'b.json': manifest({ name: 'b', metadata })
  })
  const { out, code } = await run(['review', '-f', folder, '-o', 'json'])
  const [a, b] = out.trim().split('\n').map((line) => JSON.parse(line) as { allowed: boolean, object: object })
  t.match([a, b], [{ allowed: false }, { allowed: true }])
  t.strictSame(ownObject(b?.object as JsonObject, 'metadata'), { namespace: 'default', name: 'b' })
  t.equal(code, 1)
})

t.test('a variable of a flag without value is read, not only found', async (t) => {
  const folder = t.testdir({ 'a.yaml': manifest({ name: 'a' }), 'expected.yaml': '[]\n' })
  const file = path.join(folder, 'expected.yaml')
  for (const AIM_ADMISSION_UPDATE of ['false', 'False', '0', 'f', '']) {
    await run(['test', folder], { AIM_ADMISSION_UPDATE })
    t.equal(await readFile(file, 'utf8'), '[]\n', AIM_ADMISSION_UPDATE)
  }
  const unknown = await runPasted(`aim-admission test ${folder}`, { AIM_ADMISSION_UPDATE: 'maybe' })
  t.match(unknown, { code: 1, stderr: /^error: AIM_ADMISSION_UPDATE must be true or false, not "maybe"/ })
  t.equal(await readFile(file, 'utf8'), '[]\n')
  await run(['test', folder, '--update'], { AIM_ADMISSION_UPDATE: 'false' })
  t.match(await readFile(file, 'utf8'), 'AIMService default/a', 'the flag takes precedence')
  await writeFile(file, '[]\n')
  await run(['test', folder], { AIM_ADMISSION_UPDATE: 'true' })
  t.match(await readFile(file, 'utf8'), 'AIMService default/a')
})

t.test('-n refuses a manifest of another namespace', async (t) => {
  const { folder } = await given(t)
  const file = path.join(folder, 'b.json')
  await writeFile(file, manifest({ name: 'b', namespace: 'theirs' }))
  const { err, code } = await run(['review', '-n', 'mine', '-f', file])
  t.match(err, /b\.json:1:\d+: AIMService theirs\/b is not in the namespace mine of -n: remove one of the two\n$/)
  t.equal(code, 2)
})

t.test('a closed pipe ends the program quietly, and a full disk with one line', async (t) => {
  const review = 'aim-admission review -R -f deploy/examples'
  t.match(await runPasted(`${review} | true; echo \${PIPESTATUS[0]}`, {}), { stdout: '141\n', stderr: '' })
  const misused = await runPasted(`${review} -o no 2>&1 | true; echo \${PIPESTATUS[0]}`, {})
  t.match(misused, { stdout: '1\n', stderr: '' }, 'the code of a misuse stays')
  t.match(await runPasted(`${review} > /dev/full; echo $?`, {}), {
    stdout: '2\n', stderr: 'error: cannot write the output: ENOSPC: no space left on device, write\n'
  })
})

t.test('files are separated by commas, as for kubectl', async (t) => {
  const folder = t.testdir(Object.fromEntries(['a', 'b', 'c', 'd,e'].map((file) =>
    [file, manifest({ name: file.charAt(0) })])))
  const at = (name: string): string => path.join(folder, name)
  const names = ({ out }: Shown): unknown[] => Array.from(out.matchAll(/AIMService default\/(\w)/g), ([, name]) => name)
  const report = ['review', '-o', 'report']
  t.strictSame(names(await run([...report, '-f', `${at('a')},${at('b')}`, at('c')])), ['a', 'b', 'c'])
  t.strictSame(names(await run([...report, '-f', `"${at('d,e')}",${at('a')}`])), ['d', 'a'])
  t.strictSame(names(await run(report, { AIM_ADMISSION_FILENAME: `${at('a')},${at('b')}` })), ['a', 'b'])
  t.match(await run([...report, '-f', `${at('a')},`]), { code: 2, err: /^error: : / })
  const explained = await run(['explain', '-f', `${at('a')},${at('b')}`, '-f', at('c')])
  t.strictSame(names(explained), ['a', 'b', 'c'])
})

t.test('the variable of --with-reconciler is read, not only found', async (t) => {
  const folder = t.testdir({})
  const serve = ['serve', '--manifests', folder, '--port', '0', '--probe-port', '0']
  await t.rejects(run(serve, { AIM_ADMISSION_WITH_RECONCILER: '1' }), /--with-reconciler/)
  for (const AIM_ADMISSION_WITH_RECONCILER of ['false', '0', '']) {
    const program = startProgram(serve, { AIM_ADMISSION_WITH_RECONCILER })
    await program.logged('manifests loaded')
    t.equal(await program.stop(), 0, AIM_ADMISSION_WITH_RECONCILER)
  }
})
