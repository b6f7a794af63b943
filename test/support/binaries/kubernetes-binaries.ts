import { execFile } from 'node:child_process'
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { CACHE, foundIn, goBinary } from './go-binary.ts'

/** Absolute paths. */
export interface KubernetesBinaries {
  readonly kubeApiserver: string
  readonly etcd: string
  readonly jsonpathOracle: string
  readonly kubeconfigOracle: string
}

/**
 * The binaries in KUBEBUILDER_ASSETS or on the PATH, else those of tools/go/kubernetes, built once. KUBE_VERSION, such
 * as 1.31 or 1.31.14, is the version of another kube-apiserver.
 */
export async function kubernetesBinaries (): Promise<KubernetesBinaries> {
  return {
    kubeApiserver: await kubeApiserver(process.env['KUBE_VERSION'] ?? ''),
    etcd: await installed('etcd') ?? await built('etcd', 'go.etcd.io/etcd/server/v3'),
    jsonpathOracle: await jsonpathOracle(),
    kubeconfigOracle: await kubeconfigOracle()
  }
}

async function kubeApiserver (version: string): Promise<string> {
  const found = version === '' ? await installed('kube-apiserver') : undefined
  if (found !== undefined) return found
  const module = version === '' ? MODULE : await moduleOf(version)
  const [, gitVersion = '', gitMajor = '', gitMinor = ''] =
    /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\S+)/.exec(await readFile(path.join(module, 'go.mod'), 'utf8')) ?? []
  return await goBinary({
    name: 'kube-apiserver',
    source: 'k8s.io/kubernetes/cmd/kube-apiserver',
    module,
    sources: [],
    variables: Object.entries({ gitVersion, gitMajor, gitMinor }).map(
      ([name, value]) => `k8s.io/component-base/version.${name}=${value}`
    )
  })
}

/**
 * Folder of a Go module that requires this version of Kubernetes. The replacements of Kubernetes name folders of its
 * own repository; here they name the published modules of the same version.
 */
async function moduleOf (version: string): Promise<string> {
  const go = async (args: readonly string[], cwd: string): Promise<string> =>
    (await promisify(execFile)('go', args, { cwd, maxBuffer: 64 * 1024 * 1024 })).stdout
  await mkdir(CACHE, { recursive: true })
  // the output of `go mod download -json`
  const { Version, GoMod, Dir } = JSON.parse(
    await go(['mod', 'download', '-json', `k8s.io/kubernetes@v${version.replace(/^v/, '')}`], CACHE)
  ) as { Version: string, GoMod: string, Dir: string }
  const folder = path.join(CACHE, `kubernetes-${Version}`)
  if (await access(folder).then(() => true, () => false)) return folder
  const partial = await mkdtemp(`${folder}-`)
  await copyFile(GoMod, path.join(partial, 'go.mod'))
  await copyFile(path.join(Dir, 'go.sum'), path.join(partial, 'go.sum'))
  // the output of `go mod edit -json`
  const { Replace } = JSON.parse(await go(['mod', 'edit', '-json'], partial)) as {
    Replace: ReadonlyArray<{ readonly Old: { readonly Path: string }, readonly New: { readonly Path: string } }>
  }
  const staged = Replace.filter(({ New }) => New.Path.startsWith('./staging/')).map(({ Old }) => Old.Path)
  await go([
    'mod', 'edit', '-module=aim-admission/test/kube-apiserver', `-require=k8s.io/kubernetes@${Version}`,
    ...staged.map((name) => `-replace=${name}=${name}@${Version.replace(/^v1/, 'v0')}`)
  ], partial)
  await go(['list', '-mod=mod', '-deps', 'k8s.io/kubernetes/cmd/kube-apiserver'], partial) // completes go.sum
  await rename(partial, folder).catch(async () => { await rm(partial, { recursive: true }) }) // another process won
  return folder
}

const MODULE = path.resolve(import.meta.dirname, '../../../tools/go/kubernetes')

/** client-go's JSONPath as a program; see tools/go/kubernetes/jsonpath-oracle. */
export async function jsonpathOracle (): Promise<string> {
  return await built('jsonpath-oracle', './jsonpath-oracle')
}

/** client-go's loader of kubeconfig files as a program; see tools/go/kubernetes/kubeconfig-oracle. */
export async function kubeconfigOracle (): Promise<string> {
  return await built('kubeconfig-oracle', './kubeconfig-oracle', ['kubeconfig-oracle/main.go'])
}

async function installed (name: string): Promise<string | undefined> {
  const assets = process.env['KUBEBUILDER_ASSETS']
  return await foundIn(assets === undefined ? (process.env['PATH'] ?? '').split(path.delimiter) : [assets], name)
}

async function built (name: string, source: string, sources = ['jsonpath-oracle/main.go']): Promise<string> {
  return await goBinary({ name, source, module: MODULE, sources })
}
