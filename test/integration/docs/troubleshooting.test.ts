import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { anAssessmentWorld } from '../../support/builders/assessment.ts'
import { assessService } from '../../../src/core/settings/assess.ts'
import { ConfigIndex } from '../../../src/cache/config-index.ts'
import { planRollout, ROLLED_OUT_REASONS } from '../../../src/core/status/rollout.ts'
import { readRuntimeConfig } from '../../../src/core/settings/runtime-config.ts'
import { missingBlockFault } from '../../../src/core/rules/service-faults.ts'
import { ROUTING_REASONS } from '../../../src/core/status/service.ts'
import { readService } from '../../../src/core/settings/service.ts'
import { runStep } from '../../support/docs/documented-steps.ts'
import { GATEWAY, manifest, routed } from '../../support/builders/manifests.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { codeIn, pageFiles, readPage, ROOT, rowsOf } from '../../support/docs/pages.ts'

const page = await readPage('docs/how-to/troubleshooting.md')

const namespace = 'ml-team'
const config = (name: string, routing: object) =>
  manifest({ kind: 'AIMRuntimeConfig', namespace, name, spec: { routing } })
const service = (name: string, spec: object = {}, labels?: object) =>
  manifest({ namespace, name, spec, ...(labels !== undefined && { labels }) })

/** Block from an export of another cluster. */
const EXPORTED = {
  kind: 'AIMRuntimeConfig',
  scope: 'Namespace',
  namespace,
  name: 'default',
  hash: `sha256:${'0'.repeat(64)}`,
  model: { creationScope: 'Cluster', autoDiscovery: true },
  routing: { enabled: false, pathTemplate: '/' }
}

/** Objects with all the problems of the page. */
const OBJECTS = [
  config('default', { enabled: true, gatewayRef: GATEWAY, pathTemplate: "/{.metadata.labels['team']}" }),
  config('without-gateway', { enabled: true }),
  manifest({ kind: 'AIMClusterRuntimeConfig', name: 'shared', spec: { serviceAccountName: 'a' } }),
  service('first', {}, { team: 'nlp' }),
  service('second', {}, { team: 'NLP' }),
  service('unlabelled', {}, { app: 'chat' }),
  service('lost', { runtimeConfigName: 'gone' }),
  service('unrouted', { runtimeConfigName: 'without-gateway' }),
  service('below', { routing: { pathTemplate: '/nlp/v2' } }),
  manifest({ namespace: 'other', name: 'default', kind: 'AIMRuntimeConfig', spec: {} }),
  manifest({ namespace: 'other', name: 'across', spec: routed('/nlp/v3') }),
  service('exported', { resolvedRuntimeConfig: EXPORTED }, { team: 'exported' })
]

/** Messages of the program about them: refusals, warnings, and the status of a rollout that breaks services. */
async function messages (): Promise<readonly string[]> {
  const folder = t.testdir({ 'objects.yaml': OBJECTS.join('\n') })
  const { stdout } = await runStep(`npm run -s aim-admission -- review -f ${folder} -o report`)
  const read = readRuntimeConfig('AIMRuntimeConfig', aConfig())
  const withoutBlock = readService(aService(), namespace)
  if (read.kind === 'malformed' || withoutBlock.kind === 'malformed') throw new Error('invalid objects of the builders')
  const configs = new ConfigIndex()
  configs.sink('AIMRuntimeConfig').upsert(aConfig())
  const since = '2026-01-01T00:00:00Z'
  const { heldReason: held } = planRollout({
    config: read,
    tally: {
      total: 9,
      current: 4,
      failing: 3,
      failingCurrent: new Set(['a', 'b', 'c'].map((name) => `${namespace}/${name}`))
    },
    isChanged: () => true,
    known: {
      conditions: [{ type: 'RolledOut', status: 'False', reason: 'InProgress', message: '', lastTransitionTime: since }]
    },
    limit: 3,
    now: since
  })
  return [
    ...stdout.split('\n'),
    held ?? '',
    missingBlockFault(assessService(withoutBlock, anAssessmentWorld(configs), undefined)).message
  ]
}

t.test('the program prints every message that the page quotes', async (t) => {
  const printed = await messages()
  const quoted = page.blocks.filter(({ language }) => language === 'text')
  t.ok(quoted.length >= 9)
  for (const { under, text } of quoted) t.ok(printed.some((line) => holds(line, text.split('…'))), under)
})

/** The line contains all parts in order. */
function holds (line: string, parts: readonly string[]): boolean {
  let at = 0
  return parts.every((part) => {
    const found = line.indexOf(part, at)
    at = found + part.length
    return found !== -1
  })
}

t.test('the page has an entry for every reason of a missing path or an incomplete rollout', async (t) => {
  const reasons = rowsOf(page, 'reason', 'what to do').flatMap(([cell = '']) => cell.split(', ').map(codeIn))
  t.same(
    reasons.sort(),
    [...ROUTING_REASONS.filter((reason) => reason !== 'PathRendered'), ...ROLLED_OUT_REASONS].sort()
  )
})

t.test('the log has every text that a page searches it for', async (t) => {
  const files = globSync('{src,certs}/**/*.ts', { cwd: ROOT })
  const sources = files.map((file) => readFileSync(`${ROOT}/${file}`, 'utf8')).join()
  const pages = await Promise.all((await pageFiles()).map(readPage))
  const searched = pages.flatMap(({ text }) =>
    Array.from(text.matchAll(/logs .*\| grep '(.+?)'/g), ([, pattern = '']) => pattern))
  t.ok(searched.length > 2)
  for (const word of searched.flatMap((pattern) => pattern.split(/[":]+/))) t.ok(sources.includes(word), word)
})
