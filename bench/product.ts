import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { issueEphemeralPair } from '../certs/issue.ts'
import type { FeederOrder } from './feeder.ts'
import { end, endWithUs, ROOT, startServer, type MeasuredServer } from './measured-server.ts'

/** A folder of this run, and the certificate that every server in it serves. */
export interface Workplace {
  readonly dir: string
  readonly ca: string
  readonly certFile: string
  readonly keyFile: string
  readonly remove: () => Promise<void>
}

export async function aWorkplace (): Promise<Workplace> {
  const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-bench-'))
  const { caPem, certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  const [certFile, keyFile] = [path.join(dir, 'tls.crt'), path.join(dir, 'tls.key')]
  await writeFile(certFile, certPem)
  await writeFile(keyFile, keyPem)
  return { dir, ca: caPem, certFile, keyFile, remove: async () => { await rm(dir, { recursive: true, force: true }) } }
}

/** What an image runs, with the flags that it gives Node: built here as the image builds it. */
export async function shippedProgram (): Promise<string[]> {
  await promisify(execFile)(process.execPath, ['node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT })
  const [, entrypoint = '[]'] = /^ENTRYPOINT (.*)$/m.exec(await readFile(path.join(ROOT, 'Dockerfile'), 'utf8')) ?? []
  // the form without a shell is JSON; behind `node` stands what it runs
  return (JSON.parse(entrypoint) as string[]).slice(1)
}

/** What the product's caches are filled with. */
export interface Population { readonly configs: number, readonly services: number }

export interface ProductOptions extends Population {
  readonly workplace: Workplace
  /** The program as Node runs it, flags of Node's own included. */
  readonly program: readonly string[]
  readonly command?: 'serve' | 'reconcile'
  /** A control group that it starts in: the file that takes the id of a process. */
  readonly group?: string | undefined
}

/** The product, and the cluster that it follows. */
export interface BenchProduct extends MeasuredServer {
  /** From the start of the process until it was ready, in milliseconds. */
  readonly readyAfter: number
  /** Changes a runtime configuration; resolves once the cluster has it. */
  readonly change: (at: number, round: number) => Promise<void>
}

/** Entries of `spec.env` of a stored service: the smallest that still looks like one. */
const STORED_VARIABLES = 4

/**
 * Starts the product as it is shipped, as a process of its own, on a cluster of so many objects; resolves once it is
 * ready.
 */
export async function startProduct ({ workplace, program, configs, services, command = 'serve', group }: ProductOptions): Promise<BenchProduct> {
  const feeder = fork(path.join(import.meta.dirname, 'feeder.ts'), { execArgv: ['--max-old-space-size=3000'] })
  endWithUs(feeder)
  await once(feeder, 'message')
  const order = async (told: FeederOrder): Promise<{ kubeconfig: string }> => {
    feeder.send(told)
    const [answer] = await once(feeder, 'message') as [{ kubeconfig: string }] // what the feeder sends
    return answer
  }
  const { kubeconfig } = await order({ kind: 'fill', configs, services, variables: STORED_VARIABLES })
  const file = path.join(workplace.dir, `kubeconfig-${feeder.pid ?? 0}`)
  await writeFile(file, kubeconfig)
  const flags =
    command === 'serve' ? ['--port', '0', '--cert-file', workplace.certFile, '--key-file', workplace.keyFile] : []
  const started = performance.now()
  const server = await startServer({
    name: 'product',
    args: [...program, command, '--kubeconfig', file, '--probe-port', '0', ...flags],
    group
  })
  await ready(server)
  return {
    ...server,
    readyAfter: performance.now() - started,
    change: async (at, round) => { await order({ kind: 'change', at, round }) },
    stop: async () => {
      await server.stop()
      await end(feeder)
    }
  }
}

/** The two servers that do nothing but parse and answer. */
export async function startFloors ({ certFile, keyFile }: Workplace, nodeFlags: readonly string[]): Promise<Readonly<Record<'https' | 'fastify', MeasuredServer>>> {
  return {
    https: await startServer({ name: 'node:https', args: [...nodeFlags, 'bench/floor-https.ts', certFile, keyFile] }),
    fastify: await startServer({ name: 'Fastify', args: [...nodeFlags, 'bench/floor-fastify.ts', certFile, keyFile] })
  }
}

const READY_LIMIT_MS = 120_000

async function ready ({ probeUrl, name }: MeasuredServer): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS
  while (performance.now() < deadline) {
    if ((await fetch(`${probeUrl ?? ''}/readyz`)).ok) return
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  throw new Error(`the ${name} did not become ready within ${READY_LIMIT_MS / 1_000} s`)
}
