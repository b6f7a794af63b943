import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import t, { type Test } from 'tap'
import { newProgram } from '../../../src/cli/program.ts'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { listening } from '../../support/processes.ts'
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

t.test('a kind that is almost one of the three is not skipped', async (t) => {
  const of = (apiVersion: string, kind: string) => JSON.stringify({ apiVersion, kind, metadata: { name: 'a' } })
  const [OURS, THEIRS] = ['aim.silogen.ai/v1alpha1', 'aim.silogen.ia/v1alpha1']
  const folder = t.testdir({
    'a.json': of(OURS, 'AIMServic'),
    'b.json': of(THEIRS, 'AIMService'),
    'c.json': of(OURS, 'AIMServiceTemplate'),
    'd.json': of('example.com/v1', 'AIMService'),
    'e.json': of(OURS, 'AIMruntimeConfig'),
    'f.json': manifest({ name: 'f' })
  })
  const { err, code } = await run(['review', '-f', folder])
  t.equal(code, 2)
  t.strictSame(err.replaceAll(`${folder}/`, '').trimEnd().split('\n'), [
    `error: a.json:1:1: there is no kind AIMServic in ${OURS} (did you mean "AIMService"?)`,
    `error: b.json:1:1: there is no kind AIMService in ${THEIRS} (did you mean "aim.silogen.ai"?)`,
    `error: e.json:1:1: there is no kind AIMruntimeConfig in ${OURS} (did you mean "AIMRuntimeConfig"?)`
  ])
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
  t.match(unknown, { code: 2, stderr: /^error: AIM_ADMISSION_UPDATE must be true or false, not "maybe"/ })
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
  t.match(misused, { stdout: '2\n', stderr: '' }, 'the code of a misuse stays')
  const bad = path.join(t.testdir({ 'bad.md': ['This is', 'is simple.'].join(' ') }), 'bad.md')
  const linted = await runPasted(`node tools/lint-prose.ts ${bad} | true; echo \${PIPESTATUS[0]}`, {})
  t.match(linted, { stdout: '141\n', stderr: '' })
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

/** Files with the names of their objects, and links. */
const LAYOUT = [
  'a.yaml a', 'a-b.json a-b', 'upper.YAML upper', '.hidden.yaml hidden', '.yaml dot', '[b].yaml bracket', 'plain none',
  'a/in-a.yml in-a', 'a-/x.yaml x', 'named.yaml/in.yaml in-named', 'links/to/deep.yaml deep', 'links/up ..',
  'links/again ../links', 'links/file.yaml ./to/deep.yaml', 'bad/folder.yaml ../a', 'gone/gone.yaml ./nothing',
  'empty/x.txt x', 'é/ö.yaml o'
]

const READS: readonly (readonly string[])[] = [
  ['.'], ['-R', '.'], ['a/'], ['plain'], ['upper.YAML'], ['-R', 'links'], ['links'], ['links/up/a.yaml'],
  ['-R', 'bad'], ['gone'], ['empty'], ['missing'], ['a.yaml,a/in-a.yml', 'a'], ['*.yaml'], ['-R', 'a*'], ['?.yaml'],
  ['[^a]*.yaml'], ['[!a]*.yaml'], ['[.yaml'], ['[b].yaml'], ['\\a.yaml'], ['links/*/deep.yaml'], ['**/x.yaml'],
  ['no*.yaml'], ['pl*'], ['é/?.yaml'], ['links/[tu]*/../a*']
]

t.test('the files of a folder are those that kubectl reads, in its order', async (t) => {
  const folder = t.testdir()
  for (const line of LAYOUT) {
    const [file = '', content = ''] = line.split(' ')
    const at = path.join(folder, file)
    await mkdir(path.dirname(at), { recursive: true })
    if (content.startsWith('.')) await symlink(content, at)
    else await writeFile(at, manifest({ name: content }))
  }
  const inFolder = (file: string): string => file.split(',').map((part) => `${folder}/${part}`).join(',')
  for (const words of READS) {
    const args = words.flatMap((word) => word === '-R' ? [word] : ['-f', inFolder(word)])
    const { code, out } = await run(['review', '-o', 'report', ...args])
    const ours = code === 2 ? 'refused' : Array.from(out.matchAll(/AIMService default\/(\S+)/g), ([, name]) => name)
    t.strictSame(ours, await namesInKubectl(args), words.join(' '))
  }
})

/** The names of the objects; `refused` if a file cannot be read. */
async function namesInKubectl (args: readonly string[]): Promise<'refused' | string[]> {
  return await new Promise((resolve) => {
    execFile('kubectl', ['annotate', '--local', '-o', 'name', ...args, 'read=true'], (error, stdout) => {
      resolve(error === null ? stdout.trim().split('\n').map((line) => line.replace(/.*\//, '')) : 'refused')
    })
  })
}

t.test('other than kubectl, -R skips hidden folders below the given one, and a link may name a folder', async (t) => {
  const folder = t.testdir({
    '..2026': { 'a.yaml': manifest({ name: 'a' }) },
    '..data': t.fixture('symlink', '..2026'),
    'a.yaml': t.fixture('symlink', '..data/a.yaml'),
    '.git': { 'b.yaml': manifest({ name: 'b' }) }
  })
  const names = async (...args: string[]): Promise<unknown[]> => {
    const { out } = await run(['review', '-o', 'report', ...args])
    return Array.from(out.matchAll(/AIMService default\/(\w)/g), ([, name]) => name)
  }
  t.strictSame(await names('-R', '-f', folder), ['a'], 'a mounted ConfigMap')
  t.strictSame(await names('-f', path.join(folder, '..data')), ['a'])
  t.strictSame(await names('-R', '-f', path.join(folder, '.git')), ['b'])
  await run(['test', folder, '--update'])
  t.strictSame(await readdir(path.join(folder, '..2026')), ['a.yaml'], 'the copy is no case of a test')
})

t.test('-f reads a URL, also through a proxy, as kubectl does', async (t) => {
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    response.statusCode = url.includes('missing') ? 404 : 200
    response.end(manifest({ name: 'remote' }))
  })
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${await listening(server)}`
  t.match(await run(['review', '-o', 'json', '-f', `${url}/s.yaml`]), { code: 0, out: /"name":"remote"/ })
  const { err, code } = await run(['review', '-f', `${url}/missing.yaml`])
  t.equal(code, 2)
  t.equal(err, `error: ${url}/missing.yaml: the server responded with 404 Not Found\n`)
  const refused = await run(['review', '-f', 'https://127.0.0.1:2/s.yaml'])
  t.match(refused.err, /^error: https:\/\/127.0.0.1:2\/s.yaml: .*ECONNREFUSED/)
  const proxied = await run(['review', '-o', 'json', '-f', 'http://manifests.example/s.yaml'], { HTTP_PROXY: url })
  t.match(proxied, { code: 0, out: /"name":"remote"/ })
  t.equal(asked.at(-1), 'http://manifests.example/s.yaml')
})

t.test('explain names services as kubectl get does', async (t) => {
  const folder = t.testdir({
    's.yaml': ['a', 'b', 'c']
      .map((name) => manifest({ namespace: name === 'c' ? 'other' : 'ml-team', name }))
      .join('\n')
  })
  const explained = async (...args: string[]): Promise<string[]> => {
    const { out, err } = await run(['explain', ...args, '-f', folder, '-o', 'json'])
    return err === '' ? out.trim().split('\n').map((line) => (JSON.parse(line) as { name: string }).name) : [err]
  }
  t.strictSame(await explained('a'), ['a'])
  t.strictSame(await explained('aimsvc', 'a'), ['a'])
  t.strictSame(await explained('AIMService', 'b', 'a'), ['a', 'b'])
  t.strictSame(await explained('aimservices.aim.silogen.ai/a', 'AIMService/c'), ['a', 'c'])
  t.strictSame(await explained('aimsvc'), ['a', 'b', 'c'])
  t.strictSame(await explained('aimsvc', '-n', 'ml-team'), ['a', 'b'])
  t.strictSame(await explained('-A'), ['a', 'b', 'c'])
  t.strictSame(await explained('a', 'none', 'c', 'x'), ['error: there is no AIMService none, x\n'])
})
