import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import packageJson from '../../../package.json' with { type: 'json' }
import { actionlint, krew } from '../../support/binaries/release-tools.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)
const MUCH = { maxBuffer: 64 * 1024 * 1024 }

t.test('actionlint accepts every workflow', async (t) => {
  t.match(await run(await actionlint(), ['-color=false'], { cwd: ROOT }), { stdout: '' })
})

t.test('every action is pinned, and no workflow has more rights than it names', async (t) => {
  const folder = path.join(ROOT, '.github/workflows')
  for (const name of await readdir(folder)) {
    const workflow = parse(await readFile(path.join(folder, name), 'utf8')) as Workflow
    t.same(workflow.permissions, { contents: 'read' }, name)
    const uses = Object.values(workflow.jobs).flatMap(({ steps }) => steps ?? []).flatMap((step) => step.uses ?? [])
    t.same(uses.filter((action) => !/@(?:v\d+(?:\.\d+\.\d+)?|[0-9a-f]{40})$/.test(action)), [], name)
  }
})

/** As much of a workflow as the test reads. */
interface Workflow {
  readonly permissions: object
  readonly jobs: Readonly<Record<string, { readonly steps?: ReadonlyArray<{ readonly uses?: string }> }>>
}

t.test('krew installs the plugin of a release from its archive', async (t) => {
  const folder = t.testdir({})
  const root = path.join(folder, 'krew')
  await mkdir(root)
  await run('node', ['tools/release-files.ts', folder, '--repository', 'owner/name'], { cwd: ROOT })
  const install = await readFile(path.join(folder, 'install.yaml'), 'utf8')
  t.match(install, `image: "ghcr.io/owner/name:${packageJson.version}"`)
  const { stdout: names } = await run('tar', ['tzf', path.join(folder, 'kubectl-aim.tar.gz')], MUCH)
  t.notMatch(names, /\.(?:map|[cm]?ts)$/m, 'the archive has what runs, and no types')
  t.match(await readFile(path.join(folder, 'NOTES.md'), 'utf8'), /^- /, 'the notes are those of the version')
  const PATH = `${root}/bin:${process.env['PATH'] ?? ''}`
  const env = { ...process.env, KREW_ROOT: root, KREW_NO_UPGRADE_CHECK: '1', PATH }
  const [manifest, archive] = [path.join(folder, 'aim.yaml'), path.join(folder, 'kubectl-aim.tar.gz')]
  await run(await krew(), ['install', `--manifest=${manifest}`, `--archive=${archive}`], { env })
  const service = path.join(ROOT, 'deploy/examples/quick-start.yaml')
  const { stdout } = await run('kubectl', ['aim', 'review', '-f', service, '-o', 'report'], { env, cwd: folder })
  t.match(stdout, /✓ AIMService ml-team\/llama-chat admitted/)
  t.match((await run('kubectl', ['aim', '--version'], { env, cwd: folder })).stdout, packageJson.version)
})
