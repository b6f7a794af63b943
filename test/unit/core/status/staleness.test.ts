import t from 'tap'
import { assessService, type Assessment } from '../../../../src/core/settings/assess.ts'
import { ConfigIndex } from '../../../../src/cache/config-index.ts'
import { ownObject, type JsonObject } from '../../../../src/platform/json.ts'
import { readService } from '../../../../src/core/settings/service.ts'
import { carriedHash, stalenessOf, storedPath } from '../../../../src/core/status/staleness.ts'
import { aClusterConfig, aConfig, aService } from '../../../support/builders/objects.ts'
import { admitted } from '../../../support/fakes/reconcile-world.ts'

const ROUTING = { enabled: true, gatewayRef: { name: 'gateway' } }
const AT_NOON = { metadata: { creationTimestamp: '2026-01-01T12:00:00Z' } }
const created = (time: string): JsonObject => ({ creationTimestamp: `2026-01-01T${time}Z` })

function configsOf (...objects: JsonObject[]): ConfigIndex {
  const configs = new ConfigIndex()
  // the builders make no other
  for (const object of objects) configs.sink(object['kind'] as 'AIMRuntimeConfig').upsert(object)
  return configs
}

function assess (object: JsonObject, configs: ConfigIndex): Assessment {
  const service = readService(object, 'ml-team')
  if (service.kind === 'malformed') throw new Error(service.field)
  return assessService(service, configs)
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
  'what admission would write today is current': { service: SEEN, configs: OLD, want: 'current' },
  'no block for no configuration is current': {
    service: withSpec(aService(), { runtimeConfigName: 'default' }),
    configs: configsOf(),
    want: 'current'
  },
  'another version of the configuration makes it outdated': {
    service: SEEN,
    configs: configsOf(aConfig({})),
    want: 'outdated'
  },
  'a configuration that is gone makes it outdated': { service: SEEN, configs: configsOf(), want: 'outdated' },
  'another kind with the same settings makes it outdated': {
    service: SEEN,
    configs: configsOf(aClusterConfig({ routing: ROUTING })),
    want: 'outdated'
  },
  'a name that nobody wrote out was missed': { service: aService(), configs: OLD, want: 'unobserved' },
  'and is even where there is no configuration': { service: aService(), configs: configsOf(), want: 'unobserved' },
  'a younger configuration makes a service without a block outdated': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('12:00:01'))),
    want: 'outdated'
  },
  'one of about the same age does too, since not every replica may have known it': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('11:59:56'))),
    want: 'outdated'
  },
  'an older one tells that the service was missed': {
    service: withSpec(
      aService(AT_NOON), { runtimeConfigName: 'default' }
    ),
    configs: configsOf(aConfig({}, created('11:59:54'))),
    want: 'unobserved'
  },
  'a block of another name was missed': {
    service: withSpec(SEEN, { runtimeConfigName: 'other' }),
    configs: OLD,
    want: 'unobserved'
  },
  'a path alone that is not there yet is pending': { service: withoutPath(SEEN), configs: OLD, want: 'pending' },
  'a label that moves the path, unseen, was missed': {
    service: withLabels(
      admitted(aService({ labels: { team: 'nlp' } }), BY_LABEL), { team: 'vision' }
    ),
    configs: BY_LABEL,
    want: 'unobserved'
  },
  'an own setting that is not in the block was missed': {
    service: withSpec(SEEN, { serviceAccountName: 'mine' }),
    configs: OLD,
    want: 'unobserved'
  }
}
for (const [name, { service, configs, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.equal(stalenessOf(assess(service, configs)), want) })
}

t.test('the version that a service carries counts only of its very configuration', async (t) => {
  const hash = OLD.namespaced('ml-team', 'default')?.hash
  t.equal(carriedHash(assess(SEEN, OLD)), hash)
  t.equal(carriedHash(assess(SEEN, configsOf(aConfig({})))), hash)
  t.equal(carriedHash(assess(SEEN, configsOf(aClusterConfig({ routing: ROUTING })))), '')
  t.equal(carriedHash(assess(SEEN, configsOf())), '')
  t.equal(carriedHash(assess(aService(), OLD)), '')
})

t.test('the stored path is the block\'s, whatever it should be', async (t) => {
  t.equal(storedPath(assess(SEEN, configsOf())), '/ml-team/llama-chat')
  t.equal(storedPath(assess(aService(), OLD)), '')
})
