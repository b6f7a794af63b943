// `node tools/release-files.ts FOLDER [--repository OWNER/NAME]`: writes the files of a GitHub release. They are the
// manifests with the published image, the kubectl plugin as an archive with its manifest for krew, and the notes.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import packageLock from '../package-lock.json' with { type: 'json' }
import packageJson from '../package.json' with { type: 'json' }
import { toYaml } from '../src/cli/output/formats.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const run = promisify(execFile)
const { version, bin } = packageJson
const ARCHIVE = 'kubectl-aim.tar.gz'

const { values: { repository }, positionals: [folder = 'release'] } = parseArgs({
  allowPositionals: true, options: { repository: { type: 'string', default: 'silogen/aim-admission' } }
})
await mkdir(folder, { recursive: true })
for (const name of ['install.yaml', 'install-beside-operator.yaml']) {
  const manifests = await readFile(path.join(ROOT, 'deploy', name), 'utf8')
  await write(name, manifests.replaceAll('image: "aim-admission:', `image: "ghcr.io/${repository}:`))
}
await writeArchive(path.resolve(folder, ARCHIVE))
await write('aim.yaml', toYaml([krewManifest(await sha256(path.join(folder, ARCHIVE)))]))
await write('NOTES.md', await notes())

async function write (name: string, content: string): Promise<void> {
  await writeFile(path.join(folder, name), content)
}

/** The npm package and the installed dependencies: it needs Node 24 and nothing else. */
async function writeArchive (file: string): Promise<void> {
  const home = await mkdtemp(path.join(tmpdir(), 'kubectl-aim-'))
  try {
    await run('npm', ['pack', '--silent', '--pack-destination', home], { cwd: ROOT })
    await run('tar', ['xzf', `${packageJson.name}-${version}.tgz`], { cwd: home })
    await chmod(path.join(home, 'package', bin['kubectl-aim']), 0o755)
    // krew refuses links, and names that contain "..", as some tests have. Types and source maps are most of the size.
    const without = ['.bin', 'node_modules/*/test', 'node_modules/fastify/docs', '*.map', '*.ts', '*.mts', '*.cts']
    await run('tar', ['czf', file, '--hard-dereference', '--wildcards', ...without.map((name) => `--exclude=${name}`),
      '-C', path.join(home, 'package'), '.', '-C', ROOT, ...dependencies()])
  } finally {
    await rm(home, { recursive: true })
  }
}

/** Folders of the dependencies in the lock file, relative to the root. */
function dependencies (): string[] {
  const all = Object.entries(packageLock.packages as Readonly<Record<string, Locked>>)
    .filter(([folder, { dev, optional, devOptional }]) => folder !== '' && !(dev ?? optional ?? devOptional ?? false))
    .map(([folder]) => folder)
  return all.filter((folder) => !all.some((above) => folder.startsWith(`${above}/`)))
}

interface Locked { readonly dev?: boolean, readonly optional?: boolean, readonly devOptional?: boolean }

function krewManifest (sha256: string): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'aim' },
    spec: {
      version: `v${version}`,
      homepage: `https://github.com/${repository}`,
      shortDescription: 'Check and explain AIMServices and runtime configurations',
      description: 'Reviews AIMServices before they meet a cluster, explains where each setting of a\n' +
        'service comes from, and compares a cluster with what aim-admission needs.\n',
      caveats: 'This plugin needs Node.js 24 or later on the PATH.\n' +
        'For completion, run:\n' +
        '  kubectl aim completion kubectl > ~/.local/bin/kubectl_complete-aim\n' +
        '  chmod +x ~/.local/bin/kubectl_complete-aim\n',
      platforms: [{
        selector: { matchExpressions: [{ key: 'os', operator: 'In', values: ['linux', 'darwin'] }] },
        uri: `https://github.com/${repository}/releases/download/v${version}/${ARCHIVE}`,
        sha256,
        bin: bin['kubectl-aim']
      }]
    }
  }
}

async function sha256 (file: string): Promise<string> {
  return createHash('sha256').update(await readFile(file)).digest('hex')
}

/** The section of this version in the changelog. */
async function notes (): Promise<string> {
  const sections = (await readFile(path.join(ROOT, 'CHANGELOG.md'), 'utf8')).split(/^## /m)
  return sections.find((section) => section.startsWith(version))?.replace(/^.*\n+/, '') ?? ''
}
