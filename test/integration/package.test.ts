import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }

const ROOT = path.resolve(import.meta.dirname, '../..')
interface RunOptions { readonly cwd?: string, readonly env?: NodeJS.ProcessEnv }

const run = async (file: string, args: readonly string[], { cwd = ROOT, env = {} }: RunOptions = {}) =>
  await promisify(execFile)(file, args, {
    cwd,
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024
  })

/** The package as npm publishes it, unpacked in an empty folder, with its dependencies. */
const folder = t.testdir({})
await run('npm', ['pack', '--silent', '--pack-destination', folder])
const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
const home = path.join(folder, 'node_modules', 'aim-admission')
await mkdir(home, { recursive: true })
await run('tar', ['xzf', path.join(folder, tarball), '-C', home, '--strip-components=1'])
await symlink(path.join(ROOT, 'node_modules'), path.join(home, 'node_modules'))
const files = (await readdir(home, { recursive: true })).filter((name) => !name.startsWith('node_modules'))
const main = path.join(home, packageJson.bin['aim-admission'])

t.test('contains only what users need', async (t) => {
  t.same(files.filter((name) => !name.startsWith('dist')).sort(), ['LICENSE', 'README.md', 'package.json'])
  const built = files.filter((name) => name.startsWith('dist/'))
  t.same([...new Set(built.map((name) => name.split('/')[1]))].filter((name) => name !== 'package.json').sort(), [
    'certs', 'playground', 'src', 'webhooks'
  ])
  const typed = /^dist\/src\/(?:api|core|platform)\/.*\.d\.ts$/
  t.same(built.filter((name) => name.endsWith('.ts') && !typed.test(name)), [])
})

t.test('the command line runs under plain Node from an empty folder', async (t) => {
  const empty = path.join(folder, 'empty')
  await mkdir(empty)
  await cp(path.join(ROOT, 'deploy/examples/quick-start.yaml'), path.join(empty, 'a.yaml'))
  const { stdout: version } = await run('node', [main, '--version'], { cwd: empty })
  t.equal(version.trim(), packageJson.version)
  const { stdout } = await run('node', [main, 'review', '-f', 'a.yaml', '-o', 'report'], { cwd: empty })
  t.match(stdout, /^✓ AIMService ml-team\/llama-chat admitted a\.yaml:19:1$/m)
})

t.test('npx runs both commands from the folder of a project', async (t) => {
  await writeFile(path.join(folder, 'package.json'), '{}')
  // links the commands
  await run('npm', ['rebuild', '--ignore-scripts', '--offline', packageJson.name], { cwd: folder })
  for (const [name, usage] of [['aim-admission', 'aim-admission'], ['kubectl-aim', 'kubectl aim']] as const) {
    const ran = await run('npx', ['--no-install', '--package', packageJson.name, name, '--help'], { cwd: folder })
    t.match(ran.stdout, new RegExp(`^Usage: ${usage} `))
  }
  const { stdout } = await run('npx', ['--no-install', 'aim-admission', 'manifests', 'crds'], { cwd: folder })
  t.match(stdout, /^kind: CustomResourceDefinition$/m)
})

t.test('exports the core with its types', async (t) => {
  await writeFile(
    path.join(folder, 'use.mjs'),
    "import { encodeSegment } from 'aim-admission/core/path/segment'\nconsole.log(encodeSegment('A B'))\n"
  )
  t.equal((await run('node', ['use.mjs'], { cwd: folder })).stdout, 'a%20b\n')
  const modules = files.filter((name) => /^dist\/src\/(?:api|core)\/.*\.d\.ts$/.test(name))
    .map((name) => name.replace(/^dist\/src\/(.*)\.d\.ts$/, 'aim-admission/$1'))
  t.ok(modules.includes('aim-admission/core/settings/explain'))
  await writeFile(path.join(folder, 'use.mts'), [
    ...modules.map((name) => `import '${name}'`),
    "import { encodeSegment } from 'aim-admission/core/path/segment'",
    'export const text: string = encodeSegment("A B")',
    'export const wrong: number = encodeSegment("A B")'
  ].join('\n'))
  const tsc = path.join(ROOT, 'node_modules/typescript-native/bin/tsc')
  const flags = '--ignoreConfig --noEmit --strict --skipLibCheck false --module nodenext use.mts --types'.split(' ')
  const checked = await run('node', [tsc, ...flags, ''], { cwd: folder }).catch((error: unknown) => error)
  t.match(checked, { stdout: /^use\.mts.*TS2322.*\n$/ }, 'all types are there: the one mistake is found')
})

t.test('kubectl-aim is a plugin of kubectl', async (t) => {
  const bin = path.join(folder, 'bin')
  await mkdir(bin)
  await symlink(main, path.join(bin, 'kubectl-aim'))
  await run('chmod', ['+x', main])
  const { stdout } = await run('kubectl', ['aim', 'explain', '-f', path.join(ROOT, 'deploy/examples'), 'translator'], {
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
  })
  t.match(stdout, /^AIMService ml-apps\/translator\n/)
  t.match((await run(path.join(bin, 'kubectl-aim'), ['--help'])).stdout, /^Usage: kubectl aim /)
  t.equal(packageJson.bin['kubectl_complete-aim'], packageJson.bin['kubectl-aim'])
  await symlink(main, path.join(bin, 'kubectl_complete-aim'))
  t.equal((await run(path.join(bin, 'kubectl_complete-aim'), ['completion', 'zs'])).stdout, 'zsh\n:4\n')
})

/** Writes the URL of every loaded module to standard error. */
const LOG_LOADED = `import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'
registerHooks({ load (url, context, next) { writeSync(2, url + '\\n'); return next(url, context) } })
`

t.test('the help loads no large library', async (t) => {
  const hook = path.join(folder, 'log-loaded.mjs')
  await writeFile(hook, LOG_LOADED)
  const { stderr } = await run('node', ['--import', hook, main, '--help'])
  const large = ['fastify', '@kubernetes/client-node', 'ajv', 'yaml', 'undici', 'pino', 'prom-client', 'typebox']
  t.ok(stderr.includes('node_modules/commander/'), 'the hook logs modules')
  t.same(large.filter((name) => stderr.includes(`node_modules/${name}/`)), [])
})
