import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { FeederOrder } from './feeder.ts'
import { goBinary } from '../../test/support/binaries/go-binary.ts'
import { end, endWithUs } from '../../test/support/processes.ts'
import { writePair } from '../../test/support/programs/product.ts'
import { ROOT, startServer, type MeasuredServer } from './measured-server.ts'

/** Temporary folder of a run, and the certificate of its servers. */
export interface Workplace {
  readonly dir: string
  readonly ca: string
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly remove: () => Promise<void>
}

export async function aWorkplace (): Promise<Workplace> {
  const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-bench-'))
  const { caPem: ca, ...files } = await writePair(dir)
  return { dir, ca, ...files, remove: async () => { await rm(dir, { recursive: true, force: true }) } }
}

/** Builds the program as the image does. Returns Node's arguments from the ENTRYPOINT of the Dockerfile. */
export async function shippedProgram (): Promise<string[]> {
  const tsc = 'node_modules/typescript-native/bin/tsc'
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT })
  const [, entrypoint = '[]'] = /^ENTRYPOINT (.*)$/m.exec(await readFile(path.join(ROOT, 'Dockerfile'), 'utf8')) ?? []
  return (JSON.parse(entrypoint) as string[]).slice(1) // the exec form is a JSON array that starts with `node`
}

/** Number of objects in the caches of the product. */
export interface Population { readonly configs: number, readonly services: number }

export interface ProductOptions extends Population {
  readonly workplace: Workplace
  /** Node's arguments: flags and file. */
  readonly program: readonly string[]
  readonly command?: 'serve' | 'reconcile'
  /** Control group to start in: its `cgroup.procs` file. */
  readonly group?: string | undefined
}

/** The product with the cluster that it watches. */
export interface BenchProduct extends MeasuredServer {
  /** Time from process start to readiness, in milliseconds. */
  readonly readyAfter: number
  /** Changes a runtime configuration; resolves when the cluster has stored it. */
  readonly change: (at: number, round: number) => Promise<void>
}

/** Entries of `spec.env` in a stored service: a small but realistic one. */
const STORED_VARIABLES = 4

/** Starts the product in its own process on a cluster of that many objects; resolves when it is ready. */
export async function startProduct (options: ProductOptions): Promise<BenchProduct> {
  const { workplace, program, configs, services, command = 'serve', group } = options
  const feeder = fork(path.join(import.meta.dirname, 'feeder.ts'), { execArgv: ['--max-old-space-size=3000'] })
  endWithUs(feeder)
  await once(feeder, 'message')
  const order = async (message: FeederOrder): Promise<{ kubeconfig: string }> => {
    feeder.send(message)
    const [reply] = await once(feeder, 'message') as [{ kubeconfig: string }] // the reply of feeder.ts
    return reply
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
      await end(feeder, 'SIGINT')
    }
  }
}

export type Floor = 'https' | 'fastify'

/** Node's arguments for a floor, which only parses a review and allows it. */
export function floorArgs (kind: Floor, { certFile, keyFile }: Workplace): string[] {
  return ['bench/support/floor.ts', kind, certFile, keyFile]
}

/** Starts both floors. */
export async function startFloors (
  workplace: Workplace, nodeFlags: readonly string[]
): Promise<Record<Floor, MeasuredServer>> {
  return {
    https: await startServer({ name: 'node:https', args: [...nodeFlags, ...floorArgs('https', workplace)] }),
    fastify: await startServer({ name: 'Fastify', args: [...nodeFlags, ...floorArgs('fastify', workplace)] })
  }
}

/** Starts a webhook of controller-runtime, built from its Go module on first use. */
export async function startControllerRuntime ({ certFile, keyFile }: Workplace): Promise<MeasuredServer> {
  const module = path.join(ROOT, 'tools/go/controller-runtime')
  const file = await goBinary({ name: 'controller-runtime', source: '.', module, sources: ['main.go'] })
  return await startServer({ name: 'controller-runtime', file, args: [certFile, keyFile] })
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
