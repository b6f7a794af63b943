import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { manifest } from '../builders/manifests.ts'
import { inNamespace } from '../cluster/cluster-client.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { outputOf, startProgram, type Program } from './program.ts'
import { until } from '../until.ts'

/** A server of the product whose webhooks are registered in a cluster. */
export interface Product extends Program {
  readonly url: string
  readonly probeUrl: string
  /** PEM file of its CA. */
  readonly caFile: string
}

/** Installs the CRDs, starts a server, waits until it is ready, and registers its webhooks. */
export async function startProduct (cluster: Cluster, flags: readonly string[] = []): Promise<Product> {
  const { dir, kubeconfig, client } = cluster
  const { caFile, certFile, keyFile } = await writePair(dir)
  await installCrds(cluster)
  const program = startProgram([
    'serve', '--kubeconfig', kubeconfig, '--port', '0', '--probe-port', '0',
    '--cert-file', certFile, '--key-file', keyFile, ...flags
  ])
  const { url, probeUrl } = await addressesOf(program)
  await ready(probeUrl)
  await register(client, url, caFile)
  return { ...program, url, probeUrl, caFile }
}

/** Writes a pair for 127.0.0.1 and its CA into a folder, in files of this name. */
export async function writePair (dir: string, name = 'tls') {
  const pair = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 30 })
  const base = path.join(dir, name)
  const files = { caFile: `${base}-ca.crt`, certFile: `${base}.crt`, keyFile: `${base}.key` }
  await writeFile(files.caFile, pair.caPem)
  await writeFile(files.certFile, pair.certPem)
  await writeFile(files.keyFile, pair.keyPem)
  return { ...pair, ...files }
}

/** Registers the webhooks of a server, and waits until the API server calls them. */
export async function register (client: Cluster['client'], url: string, caFile: string): Promise<void> {
  await client.apply(...await manifestsOf('webhooks', '--url', url, '--ca-file', caFile))
  const refused = manifest({ name: 'registration', spec: { routing: { enabled: true, pathTemplate: '/{' } } })
  await until(async () => (await client.dryRun(inNamespace('default').services, refused)).code === 422)
}

/** A reconciler as a process. */
export interface ReconcilerProcess extends Program { readonly probeUrl: string }

/** Starts a reconciler in `aim-system`, and waits until its caches are filled; it leads once the Lease is free. */
export async function startReconciler (
  { kubeconfig, client }: Pick<Cluster, 'kubeconfig' | 'client'>, flags: readonly string[] = []
): Promise<ReconcilerProcess> {
  await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
  const program = startProgram([
    'reconcile', '--kubeconfig', kubeconfig, '--namespace', 'aim-system', '--probe-port', '0', ...flags
  ])
  const { probeUrl } = await addressesOf(program, 'reconciling')
  await ready(probeUrl)
  return { ...program, probeUrl }
}

/** Applies the CRDs unless they are served, and waits until they are. */
export async function installCrds ({ client }: Pick<Cluster, 'client'>): Promise<void> {
  if (await servesKinds(client)) return
  await client.apply(...await manifestsOf('crds'))
  await until(async () => await servesKinds(client))
}

async function servesKinds ({ request, values }: Cluster['client']): Promise<boolean> {
  const known = (await values(`/apis/${API_VERSION}`, '.resources[*].name')).split(' ')
  const lists = await Promise.all(KINDS.map(async ({ plural }) => await request(`/apis/${API_VERSION}/${plural}`)))
  await Promise.all(lists.map(async ({ body }) => { await body.dump() }))
  return lists.every(({ statusCode }) => statusCode === 200) && KINDS.every(({ plural }) => known.includes(plural))
}

/** The objects that `aim-admission manifests` prints, each as JSON. */
export async function manifestsOf (...args: readonly string[]): Promise<string[]> {
  return parseAllDocuments(await outputOf(['manifests', ...args])).map((document) => JSON.stringify(document.toJS()))
}

/** Where a started program listens; without reviews, it has no `url`. */
export async function addressesOf (program: Program, message = 'serving'): Promise<{ url: string, probeUrl: string }> {
  return await program.logged(message) as unknown as { url: string, probeUrl: string } // what the command logs
}

export async function ready (probeUrl: string): Promise<void> {
  await until(async () => (await fetch(`${probeUrl}/readyz`)).ok)
}

export async function applied (kubectl: Cluster['kubectl'], manifest: string): Promise<void> {
  const { code, stderr } = await kubectl(['apply', '-f', '-'], manifest)
  if (code !== 0) throw new Error(stderr)
}
