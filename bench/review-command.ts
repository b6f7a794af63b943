/**
 * `npm run bench:review -- [ROUNDS]`: CPU, time, and memory of `--help` and of a review of 10,000 services with 1,000
 * configurations, as multiples of an empty Node program. Medians.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { aConfig, aService } from '../test/support/builders/objects.ts'
import { toYaml } from '../src/cli/output/formats.ts'
import { ROOT } from './support/measured-server.ts'
import type { Usage } from './support/self-report.ts'
import { median } from './support/statistics.ts'

const [rounds = 5] = process.argv.slice(2).map(Number)
const [SERVICES, CONFIGS] = [10_000, 1_000]
const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-bench-'))

const namespaceOf = (at: number): string => `team-${at % CONFIGS}`
const routing = {
  enabled: true,
  gatewayRef: { name: 'kserve-gateway', namespace: 'kgateway-system' },
  pathTemplate: "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"
}
const services = Array.from({ length: SERVICES }, (_, at) => aService({
  name: `service-${at}`,
  namespace: namespaceOf(at),
  labels: { team: `nlp-${at % 7}`, 'app.kubernetes.io/name': 'chat' },
  spec: { replicas: 2, env: [{ name: 'LOG_LEVEL', value: 'info' }, { name: 'MAX_LENGTH', value: '8192' }] }
}))
const spec = {
  defaultStorageClassName: 'fast-nvme',
  serviceAccountName: 'aim-runtime',
  imagePullSecrets: [{ name: 'registry' }],
  routing
}
const configs = Array.from({ length: CONFIGS }, (_, at) =>
  aConfig(spec, { namespace: namespaceOf(at), uid: undefined })
)
const [servicesFile, configsFile] = [path.join(dir, 'services.yaml'), path.join(dir, 'configs.yaml')]
await writeFile(servicesFile, toYaml(services))
await writeFile(configsFile, toYaml(configs))

async function usageOf (args: readonly string[]): Promise<Usage> {
  const file = path.join(dir, 'usage.json')
  const child = spawn('node', ['--import', path.join(import.meta.dirname, 'support/self-report.ts'), ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, AIM_ADMISSION_USAGE: file }
  })
  const [code] = await once(child, 'exit') as [number | null]
  if (code !== 0) throw new Error(`node ${args.join(' ')} exited with ${code ?? 'a signal'}`)
  return JSON.parse(await readFile(file, 'utf8')) as Usage // written by self-report.ts
}

const programs: Record<string, readonly string[]> = {
  'bare Node': ['-e', '0'],
  '--help': ['src/main.ts', '--help'],
  'review of YAML': ['src/main.ts', 'review', '-f', servicesFile, '--configs', configsFile, '-o', 'json']
}
const measured = new Map<string, Usage[]>(Object.keys(programs).map((name) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const [name, args] of Object.entries(programs)) measured.get(name)?.push(await usageOf(args))
}
await rm(dir, { recursive: true })

const of = (name: string, what: keyof Usage): number => median((measured.get(name) ?? []).map((usage) => usage[what]))
process.stdout.write(
  `${SERVICES} services, ${CONFIGS} configurations, medians of ${rounds}\n` +
  '| what | CPU | of bare Node | time | memory |\n|---|---|---|---|---|\n'
)
for (const name of measured.keys()) {
  const ratio = of(name, 'cpu') / of('bare Node', 'cpu')
  process.stdout.write(
    `| ${name} | ${of(name, 'cpu').toFixed(0)} ms | ${ratio.toFixed(1)} × | ` +
    `${of(name, 'wall').toFixed(0)} ms | ${of(name, 'memory').toFixed(0)} MiB |\n`
  )
}
