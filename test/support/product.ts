import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { issueThrowawayPair } from '../../certs/issue.ts'
import type { Cluster } from './cluster.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** A server process of the product, registered in the cluster. */
export interface Product {
  readonly url: string
  readonly logs: readonly string[]
  stop (): Promise<void>
}

/** Applies the CRDs, starts the server as a process of its own, waits until it serves, and registers its webhooks. */
export async function startProduct ({ dir, kubeconfig, kubectl }: Cluster): Promise<Product> {
  const { caPem, certPem, keyPem } = await issueThrowawayPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(path.join(dir, name), content)
    return path.join(dir, name)
  }
  const [caFile, certFile, keyFile] = [await file('ca.crt', caPem), await file('tls.crt', certPem), await file('tls.key', keyPem)]
  await applied(kubectl, await output(['manifests', 'crds']))
  await established(kubectl)
  const child = spawn('node', ['src/main.ts', 'serve', '--kubeconfig', kubeconfig, '--port', '0', '--probe-port', '0', '--cert-file', certFile, '--key-file', keyFile], { cwd: ROOT })
  const kill = (): void => { child.kill('SIGKILL') }
  process.once('exit', kill)
  const logs: string[] = []
  const serving = new Promise<{ url: string, probeUrl: string }>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      logs.push(line)
      const entry = line.startsWith('{') ? JSON.parse(line) as { msg: string, url: string, probeUrl: string } : undefined
      if (entry?.msg === 'serving') resolve(entry)
    })
    child.once('exit', () => { reject(new Error(`the server ended: ${logs.join('\n')}`)) })
  })
  const { url, probeUrl } = await serving
  while (!(await fetch(`${probeUrl}/readyz`)).ok) await new Promise((resolve) => { setTimeout(resolve, 50) })
  await applied(kubectl, await output(['manifests', 'webhooks', '--url', url, '--ca-file', caFile]))
  return {
    url,
    logs,
    stop: async () => {
      process.removeListener('exit', kill)
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
  }
}

async function output (args: readonly string[]): Promise<string> {
  const child = spawn('node', ['src/main.ts', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks = await child.stdout.toArray() as Buffer[] // no encoding is set
  return Buffer.concat(chunks).toString()
}

async function applied (kubectl: Cluster['kubectl'], manifest: string): Promise<void> {
  const { code, stderr } = await kubectl(['apply', '-f', '-'], manifest)
  if (code !== 0) throw new Error(stderr)
}

async function established (kubectl: Cluster['kubectl']): Promise<void> {
  const { code, stderr } = await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s'])
  if (code !== 0) throw new Error(stderr)
}
