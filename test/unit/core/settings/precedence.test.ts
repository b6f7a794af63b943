import { readFile } from 'node:fs/promises'
import t from 'tap'
import { aimServiceSpecSchema } from '../../../../src/api/aim-service.ts'
import { clusterRuntimeConfigSpecSchema, runtimeConfigSpecSchema } from '../../../../src/api/runtime-config.ts'
import { resolveConfig } from '../../../../src/core/settings/assess.ts'
import { PRECEDENCE, SOURCES, type SettingRule } from '../../../../src/core/settings/precedence.ts'

t.test('a configuration that exists in neither place is missing', async (t) => {
  const lookup = { namespaced: () => undefined, cluster: () => undefined, similar: () => undefined }
  t.equal(resolveConfig({ namespace: 'a', name: 'b' }, lookup), undefined)
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

t.test('docs/reference/fields-and-metrics.md shows the table of precedence', async (t) => {
  const page = await readFile(new URL('../../../../docs/reference/fields-and-metrics.md', import.meta.url), 'utf8')
  const section = page.split(/^## /m).find((text) => text.startsWith('Precedence')) ?? ''
  const rows = [...section.matchAll(/^\| `(.+)` \| (.+) \|$/gm)].map(([, setting, sources]) => [setting, sources])
  t.strictSame(rows, Object.entries(PRECEDENCE).map(([setting, rule]) => [setting, sourcesOf(rule)]))
})

function sourcesOf (rule: Pick<SettingRule<unknown>, 'service' | 'config' | 'default' | 'join'>): string {
  const titles = { service: 'service', config: 'configuration', default: `\`${String(rule.default)}\`` }
  const given = SOURCES.filter((source) => rule[source] !== undefined).map((source) => titles[source])
  return given.join(rule.join === undefined ? ', otherwise ' : ' and ')
}
