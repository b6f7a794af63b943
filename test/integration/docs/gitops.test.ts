import { parse as parseCel } from '@marcbachmann/cel-js'
import t from 'tap'
import { LuaFactory } from 'wasmoon'
import { parse } from 'yaml'
import { wholeProgram } from '../../support/programs/program.ts'
import { readPage } from '../../support/docs/pages.ts'

const page = await readPage('docs/how-to/gitops.md')
const snippets = page.blocks.filter(({ language }) => language === 'yaml').map(({ text }) => parse(text) as Snippet)

/** A YAML snippet of the page. */
interface Snippet {
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly healthCheckExprs?: ReadonlyArray<
      Readonly<Record<'apiVersion' | 'kind' | 'inProgress' | 'failed' | 'current', string>>
    >
  }
}

const conditions = (degraded: string, reason: string, message: string) => [
  { type: 'RoutingReady', status: 'False', reason, message },
  { type: 'Degraded', status: degraded, reason, message }
]

/** Status of a service, and its health in both tools. */
const CASES = {
  'a service without status': { status: {}, argo: 'Progressing', flux: 'inProgress' },
  'an outdated status': {
    status: { observedGeneration: 1, conditions: conditions('False', 'AsExpected', 'the service has no problem') },
    argo: 'Progressing',
    flux: 'inProgress'
  },
  'a healthy service without routing': {
    status: { observedGeneration: 2, conditions: conditions('False', 'AsExpected', 'the service has no problem') },
    argo: 'Healthy',
    flux: 'current'
  },
  'a degraded service': {
    status: { observedGeneration: 2, conditions: conditions('True', 'GatewayMissing', 'no gateway') },
    argo: 'Degraded',
    flux: 'failed'
  }
}

t.test('the health check for Argo CD distinguishes progressing, healthy, and degraded services', async (t) => {
  const script =
    snippets.flatMap(({ data }) => data?.['resource.customizations.health.aim.silogen.ai_AIMService'] ?? [])[0] ?? ''
  for (const [name, { status, argo }] of Object.entries(CASES)) {
    const lua = await new LuaFactory().createEngine()
    lua.global.set('obj', { metadata: { generation: 2 }, status })
    // The result of the script.
    const { status: health, message } = (await lua.doString(script)) as { status: string; message: string }
    lua.global.close()
    t.equal(health, argo, name)
    if (argo === 'Degraded') t.equal(message, 'GatewayMissing: no gateway')
  }
})

t.test('the health check for Flux does so too, in the evaluation order of Flux', async (t) => {
  const [check] = snippets.flatMap(({ spec }) => spec?.healthCheckExprs ?? [])
  t.match(check, { apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMService' })
  for (const [name, { status, flux }] of Object.entries(CASES)) {
    const first = (['inProgress', 'failed', 'current'] as const).find(
      (which) => parseCel(check?.[which] ?? '')({ metadata: { generation: 2n }, status: withIntegers(status) }) === true
    )
    t.equal(first, flux, name)
  }
})

/** CEL distinguishes integers from other numbers, as Kubernetes does. */
function withIntegers (status: object): object {
  return Object.fromEntries(
    Object.entries(status).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'number' ? BigInt(value) : value
    ])
  )
}

t.test('the check before a merge uses existing flags', async (t) => {
  const review = (await wholeProgram()).commands.find((command) => command.name() === 'review')
  t.ok(
    page.blocks.some(
      ({ language, text }) => language === 'bash' && text.includes('aim-admission review -f - -o github')
    )
  )
  t.ok(review?.options.find(({ long }) => long === '--output')?.argChoices?.includes('github'))
})
