import fc from 'fast-check'
import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import { INJECTED_FIELDS_ANNOTATION } from '../../../src/api/meta.ts'
import { PRODUCT_FIELDS } from '../../../src/core/served-fields.ts'
import { assessService } from '../../../src/core/settings/assess.ts'
import { withFilled, type FillableField } from '../../../src/core/settings/filled-fields.ts'
import { readService } from '../../../src/core/settings/service.ts'
import { DEFAULT_PATH_POLICY } from '../../../src/core/world.ts'
import { own, ownObject, ownString, sameJson, type JsonObject } from '../../../src/platform/json.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aConfig, aService } from '../../support/builders/objects.ts'
import { mergeSpecs, wantedRoute, type WantedRoute } from '../../support/operator/routes.ts'
import {
  normalized, SimulatedService, withoutOrder, type Definition, type Values
} from '../../support/fakes/simulated-service.ts'

const ROUTED = {
  routing: { enabled: true, gatewayRef: { name: 'gw', namespace: 'gw-system' }, pathTemplate: '/a' },
  imagePullSecrets: [{ name: 'registry' }],
  serviceAccountName: 'runner'
}

const DEFINITIONS = ['product', 'operator'] as const

for (const definition of DEFINITIONS) {
  t.test(`on the definition of the ${definition}, unset fields are filled, and follow the configuration`, (t) => {
    const service = new SimulatedService(definition)
    service.configure(ROUTED)
    service.clientSideApply({})
    t.strictSame(service.values(), {
      'spec.routing.enabled': true,
      'spec.routing.gatewayRef': { name: 'gw', namespace: 'gw-system' },
      'spec.routing.pathTemplate': '/a',
      'spec.imagePullSecrets': [{ name: 'registry' }],
      'spec.serviceAccountName': 'runner'
    })
    t.equal(service.staleness(), 'current')
    service.configure({ routing: { ...ROUTED.routing, pathTemplate: "/b/{.metadata.labels['team']}" } })
    t.equal(service.staleness(), 'configChanged')
    service.trigger()
    t.strictSame(service.values(), {
      'spec.routing.enabled': true,
      'spec.routing.gatewayRef': { name: 'gw', namespace: 'gw-system' },
      'spec.routing.pathTemplate': '/b/nlp'
    })
    service.configure(ROUTED, 'record')
    service.trigger()
    t.strictSame([service.values(), service.filled()], [{}, []], 'all gone with --inject record')
    t.equal(own(ownObject(service.live ?? {}, 'spec'), 'routing'), undefined)
    t.equal(service.staleness(), 'current')
    service.configure(ROUTED, 'record,fields')
    t.equal(service.staleness(), 'unfilled')
    t.end()
  })

  t.test(`on the definition of the ${definition}, a copy of a service, old or new, is filled again`, (t) => {
    const service = new SimulatedService(definition)
    service.configure(ROUTED)
    service.serverSideApply({})
    const copy = service.live ?? {}
    service.configure({ routing: { ...ROUTED.routing, pathTemplate: '/b' } })
    service.trigger()
    service.replace(copy)
    t.equal(service.values()['spec.routing.pathTemplate'], '/b')
    service.configure(ROUTED)
    service.trigger()
    t.equal(service.values()['spec.routing.pathTemplate'], '/a')
    const restored = new SimulatedService(definition)
    restored.configure({ routing: { ...ROUTED.routing, pathTemplate: '/c' } })
    restored.replace(copy)
    t.equal(restored.values()['spec.routing.pathTemplate'], '/c', 'restored from a backup')
    t.end()
  })

  t.test(`on the definition of the ${definition}, a part of an own gateway or list is not completed`, (t) => {
    for (const apply of ['clientSideApply', 'serverSideApply'] as const) {
      const service = new SimulatedService(definition)
      service.configure(ROUTED)
      service[apply]({})
      const mine = { 'spec.routing.gatewayRef': { name: 'gw' }, 'spec.imagePullSecrets': [{ name: 'mine' }] }
      service[apply](mine)
      t.match(service.values(), mine, apply)
      t.strictSame(service.values()['spec.routing.gatewayRef'], { name: 'gw' }, 'of the namespace of the service')
      t.strictSame(service.values()['spec.imagePullSecrets'], [{ name: 'mine' }])
      service[apply]({})
      t.strictSame(service.values()['spec.routing.gatewayRef'], ROUTED.routing.gatewayRef)
      t.strictSame(service.values()['spec.imagePullSecrets'], [{ name: 'registry' }])
    }
    t.end()
  })
}

t.test('an annotation that claims an own value leaves the value alone', (t) => {
  const forged = JSON.stringify({ 'spec.routing.pathTemplate': '/mine', 'spec.replicas': 3, constructor: 1 })
  for (const apply of ['clientSideApply', 'serverSideApply', 'patch'] as const) {
    const service = new SimulatedService('product')
    service.configure(ROUTED)
    service.serverSideApply({}, 'other')
    if (apply === 'patch') service.patch('spec.routing.pathTemplate', '/mine')
    else service[apply]({ 'spec.routing.pathTemplate': '/mine' })
    for (const text of [forged, '{', '[]', '{"spec.routing.pathTemplate":{}}']) {
      service.annotate(INJECTED_FIELDS_ANNOTATION, text)
      t.equal(service.values()['spec.routing.pathTemplate'], '/mine', `${apply} ${text}`)
      t.notOk(service.filled().includes('spec.routing.pathTemplate'))
    }
  }
  t.end()
})

t.test('a service that must not be served is filled so that no program serves it', (t) => {
  const service = new SimulatedService('product')
  service.configure({ routing: { enabled: true, pathTemplate: '/a' } })
  service.clientSideApply({})
  t.strictSame(service.values(), { 'spec.routing.enabled': false }, 'without a gateway')
  service.clientSideApply({ 'spec.routing.enabled': true })
  t.match(service.values()['spec.routing.pathTemplate'], /no-path/)
  t.end()
})

/**
 * The route that an operator makes of a service after its configuration changes from `before` to `after`, which is not
 * rolled out. Another service holds `/held`. The operator merges the configuration with that of the cluster.
 */
function routeBeside (
  { before, after, routing }: Readonly<Record<'after' | 'routing', JsonObject>> & { readonly before?: JsonObject }
): WantedRoute {
  const pathPolicy = { ...DEFAULT_PATH_POLICY, inject: 'record,fields' } as const
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, { pathPolicy })
  if (before !== undefined) engine.sinks.AIMRuntimeConfig.upsert(aConfig(before))
  const held = { ...ROUTED.routing, pathTemplate: '/held' }
  engine.sinks.AIMService.upsert(aService({ namespace: 'victim', spec: { runtimeConfigName: 'none', routing: held } }))
  const service = readService(aService({ spec: { routing } }), 'ml-team')
  if (service.kind === 'malformed') throw new Error(service.field)
  const { filled } = assessService(service, engine.world, undefined)
  return wantedRoute(withFilled(service.object, filled), mergeSpecs({ routing: { gatewayRef: GATEWAY } }, after))
}

const GATEWAY = ROUTED.routing.gatewayRef
const BELOW = '/held/below'

t.test('no configuration leads an operator to a path of another service', (t) => {
  const own = { enabled: true, pathTemplate: BELOW }
  for (const [name, { before, after = before, routing }] of Object.entries({
    'its gateway': { before: { routing: { gatewayRef: GATEWAY } }, routing: own },
    'a gateway of the cluster': { before: {}, routing: own },
    'a gateway that is not rolled out': { after: { routing: { gatewayRef: GATEWAY } }, routing: own },
    'a template that is not rolled out': {
      after: { routing: { enabled: true, pathTemplate: BELOW } }, routing: { gatewayRef: GATEWAY }
    },
    'settings that are not rolled out': { after: { routing: { ...own, gatewayRef: GATEWAY } }, routing: {} }
  } as Readonly<Record<string, { before?: JsonObject, after?: JsonObject, routing: JsonObject }>>)) {
    const route = routeBeside({ ...(before && { before }), after: after ?? {}, routing })
    t.not(route.kind === 'route' && `${ownString(route.gateway, 'name')} ${route.path}`, `gw ${BELOW}`, name)
  }
  t.end()
})

t.test('an operator serves a free path at the gateway of the configuration', (t) => {
  const before = { routing: { gatewayRef: GATEWAY } }
  const routing = { enabled: true, pathTemplate: '/free' }
  t.match(routeBeside({ before, after: before, routing }), { kind: 'route', path: '/free', gateway: GATEWAY })
  const own = { enabled: true, gatewayRef: GATEWAY }
  t.match(routeBeside({ after: {}, routing: own }), { path: '/ml-team/llama-chat' }, 'without a configuration')
  t.end()
})

t.test('fields that the definition does not have are not filled', (t) => {
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, {
    pathPolicy: { ...DEFAULT_PATH_POLICY, inject: 'record,fields' },
    served: { ...PRODUCT_FIELDS, has: (...path) => path[1] !== 'serviceAccountName' }
  })
  engine.sinks.AIMRuntimeConfig.upsert(aConfig(ROUTED))
  const service = readService(aService(), 'ml-team')
  if (service.kind === 'malformed') throw new Error(service.field)
  t.notOk('spec.serviceAccountName' in assessService(service, engine.world, undefined).filled)
  t.end()
})

t.test('a long list of secrets is compared with that of the configuration, under fields alone', async (t) => {
  const own = Array.from({ length: 40_000 }, (_, at) => ({ name: `own-${at}` }))
  const object = aService({ spec: { imagePullSecrets: own } })
  for (const [inject, want] of [['record', 0], ['record,fields', 1]] as const) {
    const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' }, {
      pathPolicy: { ...DEFAULT_PATH_POLICY, inject }
    })
    engine.sinks.AIMRuntimeConfig.upsert(aConfig({ imagePullSecrets: [{ name: 'own-39999' }, { name: 'shared' }] }))
    const decoded = decodeReview(Buffer.from(aReview(aboutObject({ object }))))
    if (decoded.kind !== 'review') throw new Error(decoded.kind)
    const verdict = engine.webhooks.find(({ path }) => path === '/validate/aimservices')?.decide(decoded.request)
    const warnings = verdict?.kind === 'admit' ? verdict.warnings.filter((text) => /your own list/.test(text)) : []
    t.equal(warnings.length, want, inject)
    for (const text of warnings) t.match(text, / add shared, or remove the list$/)
  }
})

const gateway = fc.constantFrom({ name: 'gw' }, { name: 'gw', namespace: 'gw-system' }, { name: 'other', port: 80 })
const templates = fc.constantFrom('/a', '/b', "/b/{.metadata.labels['team']}")
const secrets = fc.constantFrom([{ name: 'registry' }], [{ name: 'mine' }], [{ name: 'registry' }, { name: 'mine' }])
const config = fc.record({
  routing: fc.record({ enabled: fc.boolean(), gatewayRef: gateway, pathTemplate: templates }, { requiredKeys: [] }),
  imagePullSecrets: secrets,
  serviceAccountName: fc.constantFrom('runner', 'walker')
}, { requiredKeys: [] })
const manifest = fc.record({
  'spec.routing.enabled': fc.boolean(),
  'spec.routing.gatewayRef': gateway,
  'spec.routing.pathTemplate': fc.constantFrom('/a', '/b', '/b/nlp', '/mine'),
  'spec.imagePullSecrets': secrets,
  'spec.serviceAccountName': fc.constantFrom('runner', 'mine')
}, { requiredKeys: [] })
const edit = fc.oneof(
  fc.record({ field: fc.constant('spec.routing.pathTemplate' as const), value: fc.constantFrom('/edited', undefined) }),
  fc.record({ field: fc.constant('spec.serviceAccountName' as const), value: fc.constantFrom('edited', undefined) }),
  fc.record({ field: fc.constant('spec.routing.enabled' as const), value: fc.boolean() })
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
const step = fc.oneof(
  fc.record({ kind: fc.constant('apply' as const), values: manifest }),
  fc.record({ kind: fc.constant('again' as const) }),
  fc.record({ kind: fc.constant('edit' as const), edit }),
  fc.record({ kind: fc.constant('configure' as const), spec: config }),
  fc.record({ kind: fc.constant('trigger' as const) }),
  fc.record({ kind: fc.constant('replace' as const) }),
  fc.record({ kind: fc.constant('forge' as const), values: manifest })
)

/** What a user says about fields by applying manifests in one way, and by single edits. */
class Intent {
  own: Values = {}
  manifest: Values | undefined
  readonly #definition: Definition
  readonly #apply: 'clientSideApply' | 'serverSideApply'
  /** Fields that another client owns, which server-side apply does not remove. */
  readonly #edited = new Set<string>()

  constructor (definition: Definition, apply: 'clientSideApply' | 'serverSideApply') {
    this.#definition = definition
    this.#apply = apply
  }

  apply (service: SimulatedService, values: Values): void {
    const before = this.manifest
    const isClientSide = this.#apply === 'clientSideApply'
    // kubectl sends nothing of a manifest that is unchanged, except what differs
    const sent = isClientSide && before !== undefined && sameJson(before, values)
      ? Object.entries(normalized(values))
        .filter(([field, value]) => !sameJson(service.values()[asField(field)], value))
      : Object.entries(values)
    for (const [field, value] of Object.entries(values)) {
      if (!sameJson(this.own[asField(field)], value)) this.#edited.delete(field)
    }
    const isReleased = (field: string): boolean =>
      before !== undefined && field in before && !(field in values) && (isClientSide || !this.#edited.has(field))
    this.own = Object.fromEntries([...Object.entries(this.own).filter(([field]) => !isReleased(field)), ...sent])
    this.manifest = values
    service[this.#apply](values)
  }

  /** Undefined removes the field. */
  edit (service: SimulatedService, field: FillableField, value: unknown): void {
    // what kubectl applied stays declared in its manifest
    if (value === undefined && this.#apply === 'clientSideApply' && field in (this.manifest ?? {})) return
    // a default hides whether a client removed or set the value
    if (field === 'spec.routing.enabled' && this.#definition === 'operator') return
    if (value === undefined) {
      this.#edited.delete(field)
      this.own = Object.fromEntries(Object.entries(this.own).filter(([key]) => key !== field))
    } else if (!sameJson(service.values()[field], value)) {
      this.#edited.add(field)
      this.own = { ...this.own, [field]: value }
    }
    service.patch(field, value)
  }

  /** Claims the own values of these fields as filled. */
  forge (service: SimulatedService, values: Values): void {
    const claimed = Object.entries(values).filter(([field, value]) => sameJson(this.own[asField(field)], value))
    service.annotate(INJECTED_FIELDS_ANNOTATION, JSON.stringify(Object.fromEntries(claimed)))
  }
}

/** Keys of values are fields. */
function asField (key: string): FillableField {
  return key as FillableField
}

function take (step: Step, service: SimulatedService, intent: Intent): void {
  switch (step.kind) {
    case 'apply': intent.apply(service, step.values); break
    case 'again': intent.apply(service, intent.manifest ?? {}); break
    case 'edit': intent.edit(service, step.edit.field, step.edit.value); break
    case 'configure':
      service.configure(step.spec)
      service.trigger()
      break
    case 'trigger': service.trigger(); break
    case 'replace': service.replace(service.live ?? {}); break
    case 'forge': intent.forge(service, step.values)
  }
}

/** Throws if an own value was changed, or another field is not what the configuration yields. */
function check (service: SimulatedService, { own: ownValues }: Intent): void {
  const { block, values } = service.expected(ownValues)
  const stored = own(ownObject(service.live ?? {}, 'spec'), 'resolvedRuntimeConfig')
  const [expected, found] = [
    [values, withoutOrder(block), 'current'], [service.values(), withoutOrder(stored), service.staleness()]
  ]
  if (!sameJson(expected, found)) throw new Error(`expected ${JSON.stringify(expected)}, not ${JSON.stringify(found)}`)
}

for (const definition of DEFINITIONS) {
  for (const apply of ['clientSideApply', 'serverSideApply'] as const) {
    t.test(`own values win, and all others follow the configuration: ${definition}, ${apply}`, (t) => {
      fc.assert(fc.property(config, fc.array(step, { maxLength: 12 }), fc.boolean(), (spec, steps, reinvokes) => {
        const service = new SimulatedService(definition, reinvokes)
        const intent = new Intent(definition, apply)
        service.configure(spec)
        for (const each of [{ kind: 'apply', values: {} } as const, ...steps]) {
          take(each, service, intent)
          check(service, intent)
        }
      }), { numRuns: 300 })
      t.pass('300 histories')
      t.end()
    })
  }
}
