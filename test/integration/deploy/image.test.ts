import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import packageJson from '../../../package.json' with { type: 'json' }
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { ApiServerClient } from '../../support/cluster/api-server-client.ts'
import { runSteps } from '../../support/programs/dockerfile.ts'
import { manifest } from '../../support/builders/manifests.ts'

const folder = await mkdtemp(path.join(tmpdir(), 'aim-admission-image-'))
await chmod(folder, 0o755)
t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
const image = await runSteps(path.resolve(import.meta.dirname, '../../..'), folder)
const app = path.join(image.root, image.workdir)

t.test('the image has a pinned base, a numeric non-root user, and the version of the program', async (t) => {
  for (const base of image.bases) t.match(base, new RegExp(`^node:${packageJson.devDependencies.node}-\\w+-slim$`))
  t.match(image.user, /^[1-9]\d*:[1-9]\d*$/)
  t.match(image.labels, `org.opencontainers.image.version="${packageJson.version}"`)
})

t.test('the image holds only compiled sources and their dependencies', async (t) => {
  t.strictSame((await readdir(app)).toSorted(), ['dist', 'node_modules'])
  t.strictSame((await readdir(path.join(app, 'dist'))).toSorted(), ['certs', 'package.json', 'src', 'webhooks'])
  t.ok((await readdir(path.join(app, 'dist'), { recursive: true })).every((file) => !file.endsWith('.ts')))
  for (const name of Object.keys(packageJson.dependencies)) await access(path.join(app, 'node_modules', name))
  for (const name of ['typescript', 'tap', 'eslint', 'node']) {
    await t.rejects(access(path.join(app, 'node_modules', name)), `without ${name}`)
  }
})

/** Writes a file that the user of the image can read. */
async function file (name: string, content: string): Promise<string> {
  const full = path.join(folder, name)
  await mkdir(path.dirname(full), { recursive: true })
  await writeFile(full, content)
  return full
}

t.test('a container serves a review as its user, without a shell', async (t) => {
  const { caPem, certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  await file('manifests/config.yaml', manifest({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default' }))
  const bin = path.join(image.root, 'usr/local/bin')
  await mkdir(bin, { recursive: true })
  await copyFile(process.execPath, path.join(bin, 'node'))
  const [command = '', ...args] = [...image.entrypoint, ...image.cmd]
  const [uid, gid] = image.user.split(':').map(Number)
  const child = spawn(path.join(bin, command), args, {
    cwd: app,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...image.env,
      PATH: bin,
      AIM_ADMISSION_MANIFESTS: path.join(folder, 'manifests'),
      AIM_ADMISSION_PORT: '0',
      AIM_ADMISSION_PROBE_PORT: '0',
      AIM_ADMISSION_DRAIN_MIN: '0s',
      AIM_ADMISSION_DRAIN_QUIET: '0s',
      AIM_ADMISSION_CERT_FILE: await file('tls.crt', certPem),
      AIM_ADMISSION_KEY_FILE: await file('tls.key', keyPem)
    },
    ...(process.getuid?.() === 0 && { uid, gid })
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let log = ''
  for await (const line of createInterface(child.stderr)) {
    log += `${line}\n`
    if (line.includes('"msg":"serving"')) break
  }
  const { url } = JSON.parse(log.split('\n').at(-2) ?? '{}') as { url?: string }
  t.ok(url, log)
  t.match(await readFile(`/proc/${child.pid ?? 0}/cmdline`, 'utf8'), '--max-semi-space-size=8')
  const client = new ApiServerClient(url ?? '', caPem)
  t.teardown(() => { client.close() })
  const { status, body } = await client.post(aReview())
  t.equal(status, 200)
  t.match(body, { response: { allowed: true, patchType: 'JSONPatch' } })
  const gone = once(child, 'exit')
  child.stderr.on('data', (chunk: Buffer) => { log += chunk.toString() })
  child.kill('SIGTERM')
  t.strictSame(await gone, [0, null], log)
})
