import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { FAULTS } from '../src/core/faults.ts'
import { ACCEPTED_REASONS, CONFIG_CONDITIONS, HALTED_REASONS, ROLLED_OUT_REASONS } from '../src/core/rollout.ts'
import { SERVICE_EVENT_REASONS } from '../src/core/service-events.ts'
import { DEGRADED_REASONS, RESOLVED_REASONS, ROUTING_REASONS } from '../src/core/service-health.ts'
import { SERVICE_CONDITIONS } from '../src/core/service-status.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

/** Which layers the files of a layer may import; each may import itself. The table of ARCHITECTURE.md. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'src/api': [],
  'src/core': ['src/api'],
  'src/admission': ['src/api', 'src/core'],
  webhooks: ['src/api', 'src/core', 'src/admission'],
  certs: ['src/api', 'src/core'],
  'src/kube': ['src/api', 'src/core'],
  'src/local': ['src/api', 'src/core'],
  'src/reconcile': ['src/api', 'src/core'],
  'src/doctor': ['src/api', 'src/core', 'src/kube'],
  'src/recording': ['src/api', 'src/core', 'src/admission', 'webhooks'],
  'src/server': ['src/api', 'src/core', 'src/admission', 'webhooks'],
  'src/review': ['src/api', 'src/core', 'src/admission', 'webhooks', 'src/local'],
  playground: ['src/api', 'src/core', 'src/local', 'src/review'],
  'src/cli': ['src', 'src/api', 'src/core', 'src/admission', 'webhooks', 'certs', 'src/kube', 'src/local', 'src/reconcile', 'src/doctor', 'src/server', 'src/review', 'src/recording']
}

interface Import { readonly file: string, readonly layer: string, readonly line: string, readonly specifier: string }

async function imports (): Promise<Import[]> {
  const found: Import[] = []
  for (const layer of Object.keys(ARROWS)) {
    for (const name of await readdir(path.join(ROOT, layer))) {
      if (!name.endsWith('.ts')) continue
      const file = path.join(layer, name)
      const source = await readFile(path.join(ROOT, file), 'utf8')
      for (const [line, specifier] of source.matchAll(/^import [^'\n]*'([^']+)'/gm)) found.push({ file, layer, line, specifier: specifier ?? '' })
    }
  }
  return found
}

t.test('imports follow the arrows', async (t) => {
  const all = await imports()
  t.ok(all.length > 100, 'the imports were found')
  const against = all.filter(({ file, layer, specifier }) => {
    if (!specifier.startsWith('.')) return false
    const target = path.dirname(path.join(path.dirname(file), specifier))
    return target !== layer && !(ARROWS[layer] ?? []).includes(target)
  })
  t.strictSame(against, [])
})

t.test('the core, and what is judged offline, run in a browser: nothing of Node', async (t) => {
  const all = (await imports()).filter(({ layer }) => layer === 'src/core' || layer === 'src/review')
  t.strictSame(all.filter(({ specifier }) => specifier.startsWith('node:')), [])
})

/** What a server that follows a cluster and reads its certificates from files never needs, and would start later for: see docs/performance.md. */
const ON_DEMAND = ['@peculiar/x509', '@kubernetes/client-node', 'ajv', 'src/local/manifest-store.ts', 'src/recording/recorder.ts', 'src/reconcile/service-reconciler.ts']

t.test('what few servers need is loaded when they do', async (t) => {
  const all = (await imports()).filter(({ line }) => !line.startsWith('import type'))
  const [reached, due] = [new Set<string>(), ['src/cli/serve.ts']]
  for (let file = due.pop(); file !== undefined; file = due.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    for (const { specifier } of all.filter((found) => found.file === file)) due.push(specifier.startsWith('.') ? path.join(path.dirname(file), specifier) : specifier)
  }
  t.ok(reached.has('src/server/app.ts') && reached.has('fastify'), 'the imports were followed')
  t.strictSame(ON_DEMAND.filter((it) => reached.has(it)), [])
  for (const file of ON_DEMAND.filter((it) => it.startsWith('src/'))) t.ok(existsSync(path.join(ROOT, file)), file)
})

t.test('every fault is in docs/faults.md, and no other', async (t) => {
  const documented = [...(await readFile(path.join(ROOT, 'docs/faults.md'), 'utf8')).matchAll(/^\| `(AIM-[A-Z-]+)` \| (.+) \|$/gm)].map(([, code, summary]) => [code, summary])
  t.strictSame(documented, Object.entries(FAULTS).map(([code, { summary }]) => [code, summary]))
})

const DOCUMENTED: Readonly<Record<string, readonly string[]>> = {
  RuntimeConfigResolved: RESOLVED_REASONS,
  RoutingReady: ROUTING_REASONS,
  Degraded: DEGRADED_REASONS,
  Events: SERVICE_EVENT_REASONS,
  Accepted: ACCEPTED_REASONS,
  RolledOut: ROLLED_OUT_REASONS,
  RolloutHalted: HALTED_REASONS
}

t.test('every condition and every reason of it is in docs/status.md, and no other', async (t) => {
  const sections = (await readFile(path.join(ROOT, 'docs/status.md'), 'utf8')).split(/^### /m).slice(1)
  const documented = sections.map((section) => [section.split('\n')[0], Array.from(section.matchAll(/^\| `([A-Z]\w+)` \| (?:True|False|Normal|Warning) \|/gm), ([, reason]) => reason)] as const)
    .filter(([, reasons]) => reasons.length > 0)
  t.strictSame(Object.fromEntries(documented.map(([title, reasons]) => [title, [...reasons].sort()])),
    Object.fromEntries(Object.entries(DOCUMENTED).map(([title, reasons]) => [title, [...reasons].sort()])))
  t.strictSame(Object.keys(DOCUMENTED).filter((title) => title !== 'Events'), [...SERVICE_CONDITIONS, ...CONFIG_CONDITIONS])
})

t.test('the threat model names tests that are there', async (t) => {
  const page = await readFile(path.join(ROOT, 'docs/threat-model.md'), 'utf8')
  const named = new Set([...page.matchAll(/`(test\/[\w/-]+)`/g)].map(([, name = '']) => name))
  t.ok(named.size > 10)
  for (const name of named) t.ok(existsSync(path.join(ROOT, name)) || existsSync(path.join(ROOT, `${name}.test.ts`)), name)
})
