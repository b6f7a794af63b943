import t from 'tap'
import type { ResolvedRuntimeConfig } from '../../../../src/api/aim-service.ts'
import { assessService } from '../../../../src/core/settings/assess.ts'
import { ConfigIndex } from '../../../../src/cache/config-index.ts'
import { explainService, type Explanation } from '../../../../src/core/settings/explain.ts'
import { readService } from '../../../../src/core/settings/service.ts'
import { anAssessmentWorld } from '../../../support/builders/assessment.ts'
import { aClusterConfig, aConfig, aService } from '../../../support/builders/objects.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../../../src/core/world.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'

interface Given {
  readonly service?: JsonObject
  readonly own?: JsonObject
  readonly shared?: JsonObject
  readonly policy?: Partial<PathPolicy>
}

function explained ({ service = aService(), own, shared, policy }: Given): Explanation {
  const configs = new ConfigIndex()
  if (own !== undefined) configs.sink('AIMRuntimeConfig').upsert(own)
  if (shared !== undefined) configs.sink('AIMClusterRuntimeConfig').upsert(shared)
  const read = readService(service, 'ml-team')
  if (read.kind === 'malformed') throw new Error(read.field)
  return explainService(read, anAssessmentWorld(configs, { pathPolicy: { ...DEFAULT_PATH_POLICY, ...policy } }))
}

function blockOf (object: JsonObject, config: JsonObject): ResolvedRuntimeConfig | undefined {
  const configs = new ConfigIndex()
  configs.sink('AIMRuntimeConfig').upsert(config)
  const read = readService(object, 'ml-team')
  return read.kind === 'malformed' ? undefined : assessService(read, anAssessmentWorld(configs), undefined).block
}

const setting = ({ settings }: Explanation, name: string) => settings.find((found) => found.setting === name)

t.test('the namespace configuration replaces the cluster configuration whole', async (t) => {
  const explanation = explained({ own: aConfig({}), shared: aClusterConfig({ defaultStorageClassName: 'slow' }) })
  t.equal(explanation.config, 'AIMRuntimeConfig ml-team/default')
  t.same(
    explanation.lookedAt.map(({ kind, found, used }) => [kind, found, used]),
    [
      ['AIMRuntimeConfig', true, true],
      ['AIMClusterRuntimeConfig', true, false]
    ]
  )
  t.match(setting(explanation, 'defaultStorageClassName'), { value: undefined, from: ['unset'] })
})

t.test('without a configuration there are no settings', async (t) => {
  const explanation = explained({ service: aService({ spec: { runtimeConfigName: 'gone' } }) })
  t.match(explanation, {
    config: undefined,
    settings: [],
    configNameFrom: 'service',
    lookedAt: [{ name: 'gone', found: false }, { found: false }]
  })
})

const own = {
  serviceAccountName: 'mine',
  imagePullSecrets: [{ name: 'a' }],
  routing: { enabled: false, gatewayRef: { name: 'g' }, pathTemplate: '/own' }
}
const shared = {
  serviceAccountName: 'theirs',
  imagePullSecrets: [{ name: 'a' }, { name: 'b' }],
  routing: { enabled: true, gatewayRef: { name: 'h' }, pathTemplate: '/shared' }
}

t.test('a stored service without a configuration holds its own path, also out of scope; a manifest does not', (t) => {
  const spec = { runtimeConfigName: 'gone', routing: { enabled: true, gatewayRef: { name: 'g' }, pathTemplate: '/a' } }
  const kindOf = (metadata: JsonObject): string =>
    explained({ service: aService({ metadata, spec }), policy: { pathScope: 'namespace' } }).path.kind
  t.equal(kindOf({ uid: 'u1' }), 'path')
  t.equal(kindOf({}), 'invalid')
  t.end()
})

interface SettingCase {
  readonly service: JsonObject
  readonly config: JsonObject
  readonly name: string
  readonly want: object
}
const settings: Record<string, SettingCase> = {
  'the service takes precedence over the configuration': {
    service: own,
    config: shared,
    name: 'serviceAccountName',
    want: {
      value: 'mine', from: ['service'], passedOver: [{ from: 'namespace config', value: 'theirs' }]
    }
  },
  'the configuration applies if the service leaves a setting unset': {
    service: {},
    config: shared,
    name: 'serviceAccountName',
    want: {
      value: 'theirs', from: ['namespace config'], passedOver: [{ from: 'service', value: undefined }]
    }
  },
  'pull secrets are joined without duplicates': {
    service: own,
    config: shared,
    name: 'imagePullSecrets',
    want: {
      value: ['a', 'b'], from: ['service', 'namespace config'], passedOver: []
    }
  },
  'pull secrets of the configuration only': {
    service: {},
    config: shared,
    name: 'imagePullSecrets',
    want: {
      value: ['a', 'b'], from: ['namespace config'], passedOver: [{ from: 'service' }]
    }
  },
  'false on the service is not unset': {
    service: own,
    config: shared,
    name: 'routing.enabled',
    want: {
      value: false,
      from: ['service'],
      passedOver: [
        { from: 'namespace config', value: true },
        { from: 'default', value: false }
      ]
    }
  },
  'routing is off by default': {
    service: {},
    config: {},
    name: 'routing.enabled',
    want: { value: false, from: ['default'] }
  },
  'the gateway is replaced whole': {
    service: own,
    config: shared,
    name: 'routing.gatewayRef',
    want: { value: { name: 'g' }, from: ['service'] }
  },
  'the template of the configuration': {
    service: {},
    config: shared,
    name: 'routing.pathTemplate',
    want: { value: '/shared', from: ['namespace config'] }
  },
  'the default template': {
    service: {},
    config: {},
    name: 'routing.pathTemplate',
    want: {
      value: '/{.metadata.namespace}/{.metadata.name}', from: ['default']
    }
  },
  'a model setting of the configuration': {
    service: {},
    config: { model: { creationScope: 'Namespace' } },
    name: 'model.creationScope',
    want: {
      value: 'Namespace', from: ['namespace config']
    }
  },
  'the default of a model setting': {
    service: {},
    config: {},
    name: 'model.autoDiscovery',
    want: { value: true, from: ['default'] }
  }
}
for (const [name, { service, config, name: wanted, want }] of Object.entries(settings)) {
  t.test(name, async (t) => {
    t.match(setting(explained({ service: aService({ spec: service }), own: aConfig(config) }), wanted), want)
  })
}

const givers = [
  ['nothing', {}, {}], ['the service', own, {}], ['the configuration', {}, shared], ['both', own, shared]
] as const
for (const [title, service, config] of givers) {
  t.test(`what is explained is what admission injects, where ${title} gives the settings`, async (t) => {
    const { settings, path } = explained({ service: aService({ spec: service }), own: aConfig(config) })
    const block = blockOf(aService({ spec: service }), aConfig(config))
    const at = (name: string) => settings.find((found) => found.setting === name)?.value
    t.same(
      [at('serviceAccountName'), at('imagePullSecrets')],
      [block?.serviceAccountName, block?.imagePullSecrets?.map(({ name }) => name)]
    )
    t.same(
      ['enabled', 'gatewayRef', 'pathTemplate'].map((field) => at(`routing.${field}`)),
      [block?.routing.enabled, block?.routing.gatewayRef, block?.routing.pathTemplate]
    )
    t.equal(path.path, block?.routing.path)
  })
}

t.test('a path is explained piece by piece', async (t) => {
  const template = "/{.metadata.namespace}/{.metadata.labels['team']}/v1"
  const { path } = explained({
    service: aService({ labels: { team: 'Data Science' } }),
    own: aConfig({ routing: { enabled: true, pathTemplate: template } })
  })
  t.equal(path.path, '/ml-team/data%20science/v1')
  t.same(path.parts.map(({ source, kind, yields, inPath }) => [source, kind, yields, inPath]), [
    ['/', 'text', '/', '/'],
    ['{.metadata.namespace}', 'value', 'ml-team', 'ml-team'],
    ['/', 'text', '/', '/'],
    ["{.metadata.labels['team']}", 'value', 'Data Science', 'data%20science'],
    ['/v1', 'text', '/v1', '/v1']
  ])
})

t.test('with DNS segments, the pieces are shown as they are served, also where a segment is cut', async (t) => {
  const long = 'x'.repeat(40)
  const pathTemplate = '/{.metadata.labels.team}/{.metadata.labels.long}_{.metadata.labels.long}/v1'
  const { path } = explained({
    service: aService({ labels: { team: 'My_Team', long } }),
    own: aConfig({ routing: { enabled: true, pathTemplate } }),
    policy: { pathSegments: 'dns' }
  })
  t.equal(path.path, `/my-team/${long}-${long.slice(0, 22)}/v1`)
  t.equal(path.parts.map(({ inPath }) => inPath).join(''), path.path)
})

t.test('an invalid piece has the reason', async (t) => {
  const { path } = explained({
    own: aConfig({ routing: { enabled: true, pathTemplate: "/{.metadata.labels['team']}/{.metadata.uid}" } })
  })
  t.equal(path.kind, 'invalid')
  t.match(path.parts, [
    { kind: 'text' },
    { kind: 'invalid', yields: 'label "team" is not set on this service' },
    { kind: 'text' },
    { kind: 'pending', yields: 'metadata.uid' }
  ])
  t.match(path.problems, [/label "team" is not set on this service/])
})

t.test('an invalid template is explained by its problems', async (t) => {
  const { path } = explained({ own: aConfig({ routing: { pathTemplate: '/{.metadata.name' } }) })
  t.match(path, { kind: 'invalid', parts: [{ kind: 'invalid', yields: /is not closed/ }] })
})

t.test('filled fields are no own values, and have the source of their setting', async (t) => {
  const config = aConfig({ routing: { enabled: true, gatewayRef: { name: 'gw' }, pathTemplate: '/a' } })
  const record = {
    'spec.routing.enabled': true,
    'spec.routing.gatewayRef': { name: 'gw' },
    'spec.routing.pathTemplate': '/a'
  }
  const service = aService({
    metadata: { annotations: { 'aim.silogen.ai/injected-fields': JSON.stringify(record) } },
    spec: { routing: { enabled: true, gatewayRef: { name: 'gw' }, pathTemplate: '/a' } }
  })
  const explanation = explained({ service, own: config })
  t.match(setting(explanation, 'routing.pathTemplate'), { value: '/a', from: ['namespace config'] })
  t.strictSame(explanation.filled, Object.entries(record)
    .map(([field, value]) => ({ field, value, from: ['namespace config'] })))
})
