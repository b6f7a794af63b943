import { readFile } from 'node:fs/promises'
import t from 'tap'
import { aimServiceSpecSchema } from '../../../../src/api/aim-service.ts'
import { clusterRuntimeConfigSpecSchema, runtimeConfigSpecSchema } from '../../../../src/api/runtime-config.ts'
import { validateObject } from '../../../../src/api/validate-object.ts'
import { ConfigIndex } from '../../../../src/cache/config-index.ts'
import { assessService, resolveConfig } from '../../../../src/core/settings/assess.ts'
import { explainService } from '../../../../src/core/settings/explain.ts'
import { PRECEDENCE, SOURCES, type SettingRule } from '../../../../src/core/settings/precedence.ts'
import { readService } from '../../../../src/core/settings/service.ts'
import { DEFAULT_PATH_POLICY, type ConfigLookup, type PathPolicy } from '../../../../src/core/world.ts'
import { anAssessmentWorld } from '../../../support/builders/assessment.ts'
import { aClusterConfig, aService } from '../../../support/builders/objects.ts'

const NONE = { namespaced: () => undefined, cluster: () => undefined, similar: () => undefined }

t.test('a configuration that exists in neither place is missing', async (t) => {
  const ref = { namespace: 'a', name: 'default' }
  t.equal(resolveConfig(ref, { configs: NONE, pathPolicy: DEFAULT_PATH_POLICY }), undefined)
})

const BUILTIN: PathPolicy = { ...DEFAULT_PATH_POLICY, missingDefault: 'builtin' }

t.test('with built-in defaults, only a configuration of another name can be missing', async (t) => {
  const resolve = (name: string, configs: ConfigLookup = NONE) =>
    resolveConfig({ namespace: 'ml-team', name }, { configs, pathPolicy: BUILTIN })
  t.equal(resolve('default')?.kind, 'Default')
  t.equal(resolve('team'), undefined)
  const configs = new ConfigIndex()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  t.equal(resolve('default', configs)?.kind, 'AIMClusterRuntimeConfig')
})

t.test('the block of built-in defaults is valid, and has the service\'s own settings', async (t) => {
  for (const runtimeConfigName of [undefined, '', 'default']) {
    const routing = { enabled: true, gatewayRef: { name: 'gateway' } }
    const service = readService(aService({ spec: { runtimeConfigName, routing } }), 'ml-team')
    if (service.kind === 'malformed') throw new Error(service.field)
    const { block } = assessService(service, anAssessmentWorld(NONE, { pathPolicy: BUILTIN }), undefined)
    t.match(block, {
      kind: 'Default',
      scope: 'Cluster',
      name: 'default',
      model: { creationScope: 'Cluster', autoDiscovery: true },
      routing: { enabled: true, path: '/ml-team/llama-chat' }
    })
    const object = aService({ spec: { runtimeConfigName: 'default', resolvedRuntimeConfig: block } })
    t.strictSame(validateObject('AIMService', object), [])
    const { config, settings, lookedAt } = explainService(service, anAssessmentWorld(NONE, { pathPolicy: BUILTIN }))
    t.equal(config, 'the built-in defaults')
    t.ok(lookedAt.every(({ found }) => !found))
    t.notMatch(JSON.stringify(settings), /config"/, 'no configuration gives a setting')
  }
})

interface ObjectSchema { readonly properties?: Readonly<Record<string, unknown>> }

const hasField = (schema: unknown, field: string): boolean =>
  field.split('.').reduce((at, key) => (at as ObjectSchema | undefined)?.properties?.[key], schema) !== undefined

for (const [setting, rule] of Object.entries<SettingRule<unknown>>(PRECEDENCE)) {
  t.test(`${setting} is a field of the block and of each source that the table names`, async (t) => {
    t.ok(hasField(aimServiceSpecSchema.properties.resolvedRuntimeConfig, setting), 'block')
    t.equal(hasField(aimServiceSpecSchema, setting), rule.service !== undefined, 'service')
    for (const schema of [runtimeConfigSpecSchema, clusterRuntimeConfigSpecSchema]) {
      t.equal(hasField(schema, setting), rule.config !== undefined, 'configuration')
    }
  })
}

t.test('docs/reference/fields.md shows the table of precedence', async (t) => {
  const page = await readFile(new URL('../../../../docs/reference/fields.md', import.meta.url), 'utf8')
  const section = page.split(/^## /m).find((text) => text.startsWith('Precedence')) ?? ''
  const rows = [...section.matchAll(/^\| `(.+)` \| (.+) \|$/gm)].map(([, setting, sources]) => [setting, sources])
  t.strictSame(rows, Object.entries(PRECEDENCE).map(([setting, rule]) => [setting, sourcesOf(rule)]))
})

function sourcesOf (rule: Pick<SettingRule<unknown>, 'service' | 'config' | 'default' | 'join'>): string {
  const titles = { service: 'service', config: 'configuration', default: `\`${String(rule.default)}\`` }
  const given = SOURCES.filter((source) => rule[source] !== undefined).map((source) => titles[source])
  return given.join(rule.join === undefined ? ', otherwise ' : ' and ')
}
