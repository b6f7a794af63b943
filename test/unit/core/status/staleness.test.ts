import t from 'tap'
import { anAssessmentWorld } from '../../../support/builders/assessment.ts'
import { assessService, type Assessment } from '../../../../src/core/settings/assess.ts'
import { ConfigIndex } from '../../../../src/cache/config-index.ts'
import { ownObject, type JsonObject } from '../../../../src/platform/json.ts'
import { readService } from '../../../../src/core/settings/service.ts'
import { pathInBlock } from '../../../../src/core/settings/service-path.ts'
import { storedHash, stalenessOf } from '../../../../src/core/status/staleness.ts'
import { aClusterConfig, aConfig, aService } from '../../../support/builders/objects.ts'
import { admitted } from '../../../support/fakes/reconcile-world.ts'

const ROUTING = { enabled: true, gatewayRef: { name: 'gateway' } }
const AT_NOON = { metadata: { creationTimestamp: '2026-01-01T12:00:00Z' } }
const created = (time: string): JsonObject => ({ creationTimestamp: `2026-01-01T${time}Z` })

function configsOf (...objects: JsonObject[]): ConfigIndex {
  const configs = new ConfigIndex()
  // the only kinds of the builders
  for (const object of objects) configs.sink(object['kind'] as 'AIMRuntimeConfig').upsert(object)
  return configs
}

function assess (object: JsonObject, configs: ConfigIndex): Assessment {
  const service = readService(object, 'ml-team')
  if (service.kind === 'malformed') throw new Error(service.field)
  return assessService(service, anAssessmentWorld(configs), service)
}

const OLD = configsOf(aConfig({ routing: ROUTING }, created('11:00:00')))
const withSpec = (object: JsonObject, spec: JsonObject): JsonObject => ({
  ...object,
  spec: { ...ownObject(object, 'spec'), ...spec }
})
const withLabels = (object: JsonObject, labels: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...ownObject(object, 'metadata'), labels }
})
const withoutPath = (object: JsonObject): JsonObject => {
  const block = ownObject(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
  const { path, ...routing } = ownObject(block, 'routing')
  return withSpec(object, { resolvedRuntimeConfig: { ...block, routing } })
}
const SEEN = admitted(aService(AT_NOON), OLD)
const BY_LABEL = configsOf(aConfig({ routing: { ...ROUTING, pathTemplate: '/{.metadata.labels.team}' } }))

const cases: Readonly<Record<string, {
  readonly service: JsonObject, readonly configs: ConfigIndex, readonly want: string
}>> = {
  'the block that admission would write is current': { service: SEEN, configs: OLD, want: 'current' },
  'no block is current if there is no configuration': {
    service: withSpec(aService(), { runtimeConfigName: 'default' }),
    configs: configsOf(),
    want: 'current'
  },
  'a service is outdated by another version of its configuration': {
    service: SEEN,
    configs: configsOf(aConfig({})),
    want: 'configChanged'
  },
  'a service is outdated by the deletion of its configuration': {
    service: SEEN,
    configs: configsOf(),
    want: 'configChanged'
  },
  'a service is outdated by equal settings of another kind': {
    service: SEEN,
    configs: configsOf(aClusterConfig({ routing: ROUTING })),
    want: 'configChanged'
  },
  'a service without an explicit configuration name is unobserved': {
    service: aService(),
    configs: OLD,
    want: 'unobserved'
  },
  'a service without an explicit name is unobserved even if there is no configuration': {
    service: aService(),
    configs: configsOf(),
    want: 'unobserved'
  },
  'a service without a block is outdated if its configuration is younger': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('12:00:01'))),
    want: 'configChanged'
  },
  'a service without a block is outdated if its configuration is of about the same age': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('11:59:56'))),
    want: 'configChanged'
  },
  'a service without a block is unobserved if its configuration is older': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('11:59:54'))),
    want: 'unobserved'
  },
  'a block of another name is unobserved': {
    service: withSpec(SEEN, { runtimeConfigName: 'other' }),
    configs: OLD,
    want: 'unobserved'
  },
  'a block that lacks only its path is pending': { service: withoutPath(SEEN), configs: OLD, want: 'pathChanged' },
  'a changed label with an old path is unobserved': {
    service: withLabels(
      admitted(aService({ labels: { team: 'nlp' } }), BY_LABEL), { team: 'vision' }
    ),
    configs: BY_LABEL,
    want: 'unobserved'
  },
  'a setting of the service that the block lacks is unobserved': {
    service: withSpec(SEEN, { serviceAccountName: 'mine' }),
    configs: OLD,
    want: 'unobserved'
  }
}
for (const [name, { service, configs, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(stalenessOf(assess(service, configs)), want) })
}

t.test('the stored hash is empty for a block of another configuration', async (t) => {
  const hash = OLD.namespaced('ml-team', 'default')?.hash
  t.equal(storedHash(assess(SEEN, OLD)), hash)
  t.equal(storedHash(assess(SEEN, configsOf(aConfig({})))), hash)
  t.equal(storedHash(assess(SEEN, configsOf(aClusterConfig({ routing: ROUTING })))), '')
  t.equal(storedHash(assess(SEEN, configsOf())), '')
  t.equal(storedHash(assess(aService(), OLD)), '')
})

t.test('the stored path is that of the block', async (t) => {
  t.equal(pathInBlock(assess(SEEN, configsOf()).service.block), '/ml-team/llama-chat')
  t.equal(pathInBlock(assess(aService(), OLD).service.block), '')
})
