import path from 'node:path'
import { foundIn, goBinary } from './go-binary.ts'

/** Absolute paths. */
export interface KubernetesBinaries {
  readonly kubeApiserver: string
  readonly etcd: string
  readonly jsonpathOracle: string
  readonly kubeconfigOracle: string
}

/** The binaries in KUBEBUILDER_ASSETS or on the PATH, else those of tools/go/kubernetes, built once. */
export async function kubernetesBinaries (): Promise<KubernetesBinaries> {
  return {
    kubeApiserver:
      (await installed('kube-apiserver')) ?? (await built('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver')),
    etcd: await installed('etcd') ?? await built('etcd', 'go.etcd.io/etcd/server/v3'),
    jsonpathOracle: await jsonpathOracle(),
    kubeconfigOracle: await kubeconfigOracle()
  }
}

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
  return await goBinary({
    name,
    source,
    module: path.resolve(import.meta.dirname, '../../../tools/go/kubernetes'),
    sources
  })
}
