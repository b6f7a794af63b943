import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { FAULTS } from '../../src/core/faults.ts'
import {
  ACCEPTED_REASONS, CONFIG_CONDITIONS, HALTED_REASONS, ROLLED_OUT_REASONS
} from '../../src/core/status/rollout.ts'
import { CONTESTED, CONTESTED_REASONS, SERVICE_EVENT_REASONS } from '../../src/core/status/conditions.ts'
import {
  DEGRADED_REASONS, RESOLVED_REASONS, ROUTING_REASONS, SERVICE_CONDITIONS
} from '../../src/core/status/service.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** The layers that a layer may import besides itself and `src/platform`, as in ARCHITECTURE.md. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'src/platform': [],
  'src/api': [],
  'src/core': ['src/api'],
  'src/cache': ['src/api', 'src/core'],
  'src/admission': ['src/api', 'src/core', 'src/cache'],
  webhooks: ['src/api', 'src/core', 'src/cache', 'src/admission'],
  certs: ['src/api', 'src/core'],
  'src/kube': ['src/api', 'src/core'],
  'src/offline': ['src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks'],
  'src/reconcile': ['src/api', 'src/core', 'src/cache'],
  'src/recording': ['src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks'],
  'src/telemetry': ['src/api', 'src/core', 'src/admission'],
  'src/server': ['src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks', 'src/telemetry'],
  playground: ['src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks', 'src/offline'],
  'src/app': [
    'src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks', 'certs', 'src/kube', 'src/offline',
    'src/reconcile', 'src/recording', 'src/telemetry', 'src/server'
  ],
  'src/cli': [
    'src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks', 'certs', 'src/kube', 'src/offline',
    'src/reconcile', 'src/recording', 'src/telemetry', 'src/server', 'src/app'
  ]
}

const LAYERS = Object.keys(ARROWS)

interface Import { readonly file: string, readonly line: string, readonly specifier: string }

async function sourceFiles (folder: string): Promise<string[]> {
  const names = await readdir(path.join(ROOT, folder), { recursive: true })
  return names.filter((name) => name.endsWith('.ts')).map((name) => path.join(folder, name))
}

const files = (await Promise.all(LAYERS.map(async (layer) => await sourceFiles(layer)))).flat()
const sources = await Promise.all(
  files.map(async (file) => ({ file, source: await readFile(path.join(ROOT, file), 'utf8') }))
)

const imports: readonly Import[] = sources.flatMap(({ file, source }) => {
  const found = source.matchAll(/^(?:import|export) (?:[^';]*? from )?'([^'\n]+)'/gm)
  return Array.from(found, ([line, specifier = '']) => ({ file, line, specifier }))
})

/** The file that a relative specifier names, from the root of the checkout. */
function target ({ file, specifier }: Import): string {
  return path.join(path.dirname(file), specifier)
}

function layerOf (file: string): string {
  return LAYERS.find((layer) => file.startsWith(`${layer}/`)) ?? ''
}

t.test('imports follow the arrows', async (t) => {
  t.ok(imports.length > 500, 'imports were found')
  const against = imports.filter((each) => {
    if (!each.specifier.startsWith('.')) return false
    const [from, to] = [layerOf(each.file), layerOf(target(each))]
    return to !== from && to !== 'src/platform' && !(ARROWS[from] ?? []).includes(to)
  })
  t.strictSame(against.map(({ file, specifier }) => `${file} imports ${specifier}`), [])
})

t.test('there is no import cycle', async (t) => {
  const graph = Map.groupBy(imports.filter(({ specifier }) => specifier.startsWith('.')), ({ file }) => file)
  const cycles: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'open') cycles.push([...trail.slice(trail.indexOf(file)), file].join(' > '))
    if (state.has(file)) return
    state.set(file, 'open')
    for (const next of graph.get(file) ?? []) visit(target(next), [...trail, file])
    state.set(file, 'done')
  }
  for (const file of graph.keys()) visit(file, [])
  t.strictSame(cycles, [])
})

t.test('no two files export a type of one name', async (t) => {
  const types = sources.flatMap(({ file, source }) =>
    Array.from(source.matchAll(/^export (?:interface|type|class) (\w+)/gm), ([, name = '']) => ({ file, name })))
  const repeated = [...Map.groupBy(types, ({ name }) => name)].filter(([, found]) => found.length > 1)
  t.strictSame(repeated.map(([name, found]) => `${name}: ${found.map(({ file }) => file).join(', ')}`), [])
})

t.test('a folder holds at most 18 files', async (t) => {
  const others = (await Promise.all(['test', 'bench', 'tools'].map(async (folder) => await sourceFiles(folder)))).flat()
  const folders = Map.groupBy([...files, ...others], (file) => path.dirname(file))
  const crowded = [...folders].filter(([folder, held]) => held.length > 18 && folder !== 'bench')
  t.strictSame(crowded.map(([folder, held]) => `${folder}: ${held.length}`), [])
})

t.test('ports.ts imports no domain module', async (t) => {
  const domain = imports.filter((each) => each.file === 'src/core/ports.ts' && layerOf(target(each)) === 'src/core')
  t.strictSame(domain.map(({ specifier }) => specifier), [])
})

t.test('what runs in a browser imports nothing of Node', async (t) => {
  const layers = ['src/platform', 'src/api', 'src/core', 'src/cache', 'src/admission', 'webhooks']
  const found = imports.filter(({ file, specifier }) => layers.includes(layerOf(file)) && specifier.startsWith('node:'))
  t.strictSame(found.map(({ file, specifier }) => `${file} imports ${specifier}`), [])
})

/** Modules that a server with a cluster and certificate files never needs: loading them would delay its start. */
const ON_DEMAND = [
  '@peculiar/x509',
  '@kubernetes/client-node',
  'ajv',
  'typebox',
  'src/offline/manifest-store.ts',
  'src/recording/recorder.ts',
  'src/reconcile/service-reconciler.ts'
]

t.test('serve loads on demand what few servers need', async (t) => {
  const [reached, due] = [new Set<string>(), ['src/cli/commands/serve/command.ts', 'src/app/serve.ts']]
  for (let file = due.pop(); file !== undefined; file = due.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    for (const each of imports.filter((one) => one.file === file && !one.line.startsWith('import type'))) {
      due.push(each.specifier.startsWith('.') ? target(each) : each.specifier)
    }
  }
  t.ok(reached.has('src/server/app.ts') && reached.has('fastify'), 'imports were followed')
  t.strictSame(ON_DEMAND.filter((it) => reached.has(it)), [])
  for (const file of ON_DEMAND.filter((it) => it.startsWith('src/'))) t.ok(existsSync(path.join(ROOT, file)), file)
})

t.test('every fault is in docs/reference/faults.md, and no other', async (t) => {
  const documented = [
    ...(await readFile(path.join(ROOT, 'docs/reference/faults.md'), 'utf8')).matchAll(/^\| `(AIM-[A-Z-]+)` \| (.+) \|$/gm)
  ].map(([, code, summary]) => [code, summary])
  t.strictSame(documented, Object.entries(FAULTS).map(([code, { summary }]) => [code, summary]))
})

const DOCUMENTED: Readonly<Record<string, readonly string[]>> = {
  RuntimeConfigResolved: RESOLVED_REASONS,
  PathResolved: ROUTING_REASONS,
  RoutingReady: ROUTING_REASONS,
  Degraded: DEGRADED_REASONS,
  StatusContested: CONTESTED_REASONS,
  Events: SERVICE_EVENT_REASONS,
  Accepted: ACCEPTED_REASONS,
  RolledOut: ROLLED_OUT_REASONS,
  RolloutHalted: HALTED_REASONS
}

const REASON_ROW = /^\| `([A-Z]\w+)` \| (?:True|False|Normal|Warning) \|/gm

t.test('every condition and every reason of it is in docs/reference/status.md, and no other', async (t) => {
  const sections = (await readFile(path.join(ROOT, 'docs/reference/status.md'), 'utf8')).split(/^### /m).slice(1)
  const reasonsIn = (section: string): string[] => {
    const other = /^Reasons: as `(.+)`\.$/m.exec(section)?.[1] ?? ''
    const rows = Array.from(section.matchAll(REASON_ROW), ([, reason = '']) => reason)
    return [...rows, ...sections.filter((each) => each.startsWith(`${other}\n`)).flatMap(reasonsIn)]
  }
  const documented = sections.map((section) => [section.split('\n')[0], reasonsIn(section)] as const)
    .filter(([, reasons]) => reasons.length > 0)
  t.strictSame(Object.fromEntries(documented.map(([title, reasons]) => [title, [...reasons].sort()])),
    Object.fromEntries(Object.entries(DOCUMENTED).map(([title, reasons]) => [title, [...reasons].sort()])))
  t.strictSame(
    Object.keys(DOCUMENTED).filter((title) => title !== 'Events'),
    [...SERVICE_CONDITIONS, CONTESTED, ...CONFIG_CONDITIONS]
  )
})

t.test('the threat model names tests that are there', async (t) => {
  const page = await readFile(path.join(ROOT, 'docs/explanation/threat-model.md'), 'utf8')
  const named = new Set([...page.matchAll(/`(test\/[\w/-]+)`/g)].map(([, name = '']) => name))
  t.ok(named.size > 10)
  for (const name of named) {
    t.ok(existsSync(path.join(ROOT, name)) || existsSync(path.join(ROOT, `${name}.test.ts`)), name)
  }
})
