import t from 'tap'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../../../src/core/world.ts'
import type { Condition } from '../../../../src/api/kubernetes-schemas.ts'
import {
  conditionsOf, knownConditions, SERVICE_EVENT_REASONS, statusEvents
} from '../../../../src/core/status/conditions.ts'
import { FAULTS } from '../../../../src/core/faults.ts'
import {
  DEGRADED_REASONS, ownServiceStatus, RESOLVED_REASONS, ROUTING_REASONS, SERVICE_CONDITIONS, serviceStatus,
  type OwnServiceStatus
} from '../../../../src/core/status/service.ts'
import { snapshotOf } from '../../../../src/reconcile/service-snapshot.ts'
import { aClusterConfig, aConfig, aService } from '../../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../../support/fakes/reconcile-world.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'

const LONG_AGO = '2026-01-01T00:00:00Z'
const NOW = '2026-01-02T00:00:00Z'
const GATEWAY = { name: 'gateway' }
const routed = (pathTemplate?: string): JsonObject => ({
  routing: { enabled: true, gatewayRef: GATEWAY, ...(pathTemplate !== undefined && { pathTemplate }) }
})

interface Case {
  readonly config?: JsonObject
  readonly service?: Parameters<typeof aService>[0]
  readonly others?: readonly JsonObject[]
  readonly known?: OwnServiceStatus
  readonly waiting?: string
  readonly pathScope?: PathPolicy['pathScope']
  /** In place of the service, as admission with this configuration stores it. */
  readonly stored?: JsonObject
}

/** The status of an admitted service. */
function statusOf (given: Case): OwnServiceStatus {
  const { config = aConfig(routed()), service = {}, others = [], known, waiting, pathScope = 'any' } = given
  const { world, sinks } = aReconcileWorld()
  const pathPolicy = { ...DEFAULT_PATH_POLICY, pathScope }
  if (config['kind'] !== 'none') sinks[config['kind'] as 'AIMRuntimeConfig'].upsert(config)
  const before = given.stored ?? admitted(aService(service), world.configs, pathPolicy)
  const object = stored(before, 1, { generation: 3 })
  for (const other of others) sinks.AIMService.upsert(stored(admitted(other, world.configs), 1))
  sinks.AIMService.upsert({ ...object, status: known })
  const snapshot = snapshotOf('ml-team/llama-chat', { ...world, pathPolicy })
  if (snapshot === undefined) throw new Error('no service')
  return serviceStatus(snapshot.assessment, {
    configs: world.configs,
    faults: snapshot.faults,
    known: snapshot.observed.status,
    now: NOW,
    waiting
  })
}

const of = ({ conditions }: OwnServiceStatus, type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type)
const reasonsOf = (status: OwnServiceStatus): string[] =>
  status.conditions.filter(({ type }) => type !== 'RoutingReady').map(({ status, reason }) => `${status} ${reason}`)

const NONE = { kind: 'none' }
const OLDER = aService({
  name: 'older',
  metadata: { creationTimestamp: '2025-01-01T00:00:00Z' },
  labels: { team: 'nlp' }
})

const cases: Readonly<Record<string, Case & {
  readonly want: readonly [string, string, string], readonly path?: string, readonly says?: RegExp
}>> = {
  'the service is healthy': {
    want: ['True Resolved', 'True PathRendered', 'False AsExpected'],
    path: '/ml-team/llama-chat',
    says: /^served at \/ml-team\/llama-chat on gateway gateway$/
  },
  'routing is disabled': { config: aConfig(), want: ['True Resolved', 'False RoutingDisabled', 'False AsExpected'] },
  'the configuration is missing': {
    config: NONE,
    want: ['False RuntimeConfigMissing', 'False RoutingDisabled', 'True RuntimeConfigMissing']
  },
  'the configuration of a routed service is missing': {
    config: NONE,
    service: { spec: routed() },
    want: [
      'False RuntimeConfigMissing', 'False PathPending', 'True RuntimeConfigMissing'
    ],
    says: /waits for the runtime configuration/
  },
  'the template is invalid': {
    config: aConfig(routed('/{.metadata.name')),
    want: [
      'True Resolved', 'False PathTemplateInvalid', 'True PathTemplateInvalid'
    ],
    says: /not closed/
  },
  'the template is invalid while routing is disabled': {
    config: aConfig({ routing: { pathTemplate: '/{' } }),
    want: [
      'True Resolved', 'False PathTemplateInvalid', 'True PathTemplateInvalid'
    ]
  },
  'a label is missing': {
    config: aConfig(routed('/{.metadata.labels.team}')),
    want: ['True Resolved', 'False PathFieldMissing', 'True PathFieldMissing'],
    says: /kubectl -n ml-team label aimsvc\/llama-chat team=<team>$/
  },
  'the path is too long': {
    config: aConfig(routed('/' + 'é'.repeat(40))),
    want: ['True Resolved', 'False PathTooLong', 'True PathTooLong']
  },
  'an older service holds the path': {
    config: aConfig(routed('/same')),
    others: [OLDER],
    want: [
      'True Resolved', 'False PathConflict', 'True PathConflict'
    ],
    says: /held by AIMService ml-team\/older/
  },
  'the path is outside the namespace': {
    config: aConfig(routed('/elsewhere')),
    pathScope: 'namespace',
    want: ['True Resolved', 'False PathOutOfScope', 'True PathOutOfScope'],
    says: /begin the template with \/ml-team\//
  },
  'a younger service holds the path': {
    config: aConfig(routed('/same')),
    others: [aService({ name: 'younger', metadata: { creationTimestamp: '2027-01-01T00:00:00Z' } })],
    want: ['True Resolved', 'True PathRendered', 'False AsExpected'],
    path: '/same'
  },
  'there is no gateway': {
    config: aConfig({ routing: { enabled: true } }),
    want: [
      'True Resolved', 'False GatewayMissing', 'True GatewayMissing'
    ],
    path: '/ml-team/llama-chat'
  },
  'a new service waits for a rollout': {
    waiting: 'the rollout is paused',
    want: [
      'False RollingOut', 'False PathPending', 'False AsExpected'
    ],
    path: '/ml-team/llama-chat'
  }
}
for (const [name, { want, path, says, ...given }] of Object.entries(cases)) {
  t.test(`the conditions if ${name}`, async (t) => {
    const status = statusOf(given)
    t.strictSame(reasonsOf(status), want)
    t.equal(status.routing?.path, path)
    if (says !== undefined) t.match(of(status, 'PathResolved')?.message, says)
    t.strictSame(of(status, 'RoutingReady'), { ...of(status, 'PathResolved'), type: 'RoutingReady' })
    t.equal(status.observedGeneration, 3)
    t.ok(status.conditions.every(({ observedGeneration }) => observedGeneration === 3))
    t.ok(status.conditions.every(({ message }) => message !== ''), 'each has a message')
  })
}

t.test('every reason belongs to a closed set, and every one is reached', async (t) => {
  const reached = Object.values(cases).map((given) => statusOf(given).conditions.map(({ reason }) => reason))
  const sets: ReadonlyArray<readonly string[]> = [
    RESOLVED_REASONS, ROUTING_REASONS, ROUTING_REASONS, DEGRADED_REASONS
  ]
  for (const [at, set] of sets.entries()) {
    t.strictSame([...new Set(reached.map((reasons) => reasons[at] ?? ''))].sort(), [...set].sort())
  }
  t.strictSame(SERVICE_CONDITIONS, ['RuntimeConfigResolved', 'PathResolved', 'RoutingReady', 'Degraded'])
})

t.test('every fault of a stored service has a reason of its condition', async (t) => {
  const reasons: readonly string[] = [...RESOLVED_REASONS, ...ROUTING_REASONS]
  for (const [code, entry] of Object.entries(FAULTS)) if ('reason' in entry) t.ok(reasons.includes(entry.reason), code)
})

t.test('reports the winning configuration with its uid and version', async (t) => {
  t.match(statusOf({}).resolvedRuntimeConfig, {
    kind: 'AIMRuntimeConfig',
    scope: 'Namespace',
    namespace: 'ml-team',
    name: 'default',
    uid: 'c1',
    hash: /^sha256:/
  })
  const shared = statusOf({ config: aClusterConfig() }).resolvedRuntimeConfig
  t.match(shared, { kind: 'AIMClusterRuntimeConfig', scope: 'Cluster', name: 'default', uid: 'c2' })
  t.notOk(Object.hasOwn(shared ?? {}, 'namespace'))
  t.equal(statusOf({ config: NONE }).resolvedRuntimeConfig, undefined)
  const builtin = admitted(aService(), aReconcileWorld().world.configs, {
    ...DEFAULT_PATH_POLICY, missingDefault: 'builtin'
  })
  const waiting = statusOf({ config: aClusterConfig(), stored: builtin, waiting: 'it is paused' })
  t.strictSame([waiting.resolvedRuntimeConfig?.kind, waiting.resolvedRuntimeConfig?.uid], ['Default', undefined])
})

/** The same status, written long ago. */
const known = (status: OwnServiceStatus): OwnServiceStatus => ({
  ...status, conditions: status.conditions.map((condition) => ({ ...condition, lastTransitionTime: LONG_AGO }))
})

t.test('keeps a transition time while the status is unchanged, even if the reason changes', async (t) => {
  const broken = known(statusOf({ config: aConfig(routed('/{.metadata.labels.team}')) }))
  const { conditions } = statusOf({ config: aConfig(routed('/' + 'é'.repeat(40))), known: broken })
  t.strictSame(conditions.map(({ type, reason, lastTransitionTime }) => [type, reason, lastTransitionTime]), [
    [
      'RuntimeConfigResolved', 'Resolved', LONG_AGO
    ], ['PathResolved', 'PathTooLong', LONG_AGO], ['RoutingReady', 'PathTooLong', LONG_AGO],
    ['Degraded', 'PathTooLong', LONG_AGO]
  ])
  t.strictSame(
    statusOf({ known: broken }).conditions.map(({ lastTransitionTime }) => lastTransitionTime),
    [LONG_AGO, NOW, NOW, NOW]
  )
})

t.test('is stable, so that an unchanged status is not written', async (t) => {
  const first = statusOf({})
  t.strictSame(statusOf({ known: first }), first)
})

t.test('keeps the other conditions while the service waits for new settings', async (t) => {
  const before = known(statusOf({ config: aConfig(routed('/{.metadata.labels.team}')) }))
  const status = statusOf({
    config: aConfig(routed('/{.metadata.labels.team}')),
    known: before,
    waiting: 'the rollout is paused'
  })
  t.strictSame(reasonsOf(status), ['False RollingOut', 'False PathFieldMissing', 'True PathFieldMissing'])
  t.equal(
    of(status, 'RuntimeConfigResolved')?.message,
    'AIMRuntimeConfig ml-team/default is not rolled out to this service yet: the rollout is paused'
  )
  const times = status.conditions.map(({ lastTransitionTime }) => lastTransitionTime)
  t.strictSame(times, [NOW, LONG_AGO, LONG_AGO, LONG_AGO])
})

t.test('reads only this program\'s part of a stored status', async (t) => {
  const condition = { type: 'Degraded', status: 'True' }
  t.strictSame(ownServiceStatus(
    {
      status: {
        observedGeneration: 1,
        theirs: 1,
        routing: { path: '/a', theirs: 1 },
        conditions: [{ type: 'Ready' }, condition, 'x']
      }
    }
  ),
  { observedGeneration: 1, routing: { path: '/a' }, conditions: [condition] })
  t.strictSame(ownServiceStatus({}), { conditions: [] })
})

t.test('returns conditions in the requested order', async (t) => {
  t.strictSame(
    knownConditions({ status: { conditions: [{ type: 'B' }, { type: 'A' }] } }, ['A', 'B', 'C']).map(
      ({ type }) => type
    ),
    ['A', 'B']
  )
  const draft = { type: 'A', status: 'True', reason: 'New', message: 'm' } as const
  t.strictSame(conditionsOf([draft], { known: [], generation: 5, now: NOW }), [
    { ...draft, observedGeneration: 5, lastTransitionTime: NOW }
  ])
})

type Reasons = readonly [string, string, ...string[]]

/** From these reasons, in the order of `SERVICE_CONDITIONS`, to those. */
const transitions: Readonly<Record<string, {
  readonly from?: Reasons, readonly to: Reasons, readonly want: readonly string[]
}>> = {
  'a service that is healthy from the start': { to: ['Resolved', 'PathRendered'], want: ['RuntimeConfigResolved'] },
  'no change': { from: ['Resolved', 'PathRendered'], to: ['Resolved', 'PathRendered'], want: [] },
  'a deleted configuration': {
    from: ['Resolved', 'PathRendered'],
    to: ['RuntimeConfigMissing', 'PathPending'],
    want: ['RuntimeConfigMissing']
  },
  'a created configuration': {
    from: ['RuntimeConfigMissing', 'PathPending'],
    to: ['Resolved', 'PathRendered'],
    want: ['RuntimeConfigResolved']
  },
  'a fault': { from: ['Resolved', 'PathRendered'], to: ['Resolved', 'PathConflict'], want: ['PathConflict'] },
  'another fault': {
    from: ['Resolved', 'PathTooLong'],
    to: ['Resolved', 'PathFieldMissing'],
    want: ['PathFieldMissing']
  },
  'a fixed fault': {
    from: ['Resolved', 'PathTemplateInvalid'],
    to: ['Resolved', 'PathRendered'],
    want: ['PathRendered']
  },
  'disabled routing': {
    from: ['Resolved', 'PathRendered'],
    to: ['Resolved', 'RoutingDisabled'],
    want: ['RoutingDisabled']
  },
  'enabled routing': {
    from: ['Resolved', 'RoutingDisabled'],
    to: ['Resolved', 'PathRendered'],
    want: ['PathRendered']
  },
  'a service without a route from the start': {
    to: ['Resolved', 'RoutingDisabled'],
    want: ['RuntimeConfigResolved']
  },
  'the start of a rollout': { from: ['Resolved', 'PathRendered'], to: ['RollingOut', 'PathRendered'], want: [] },
  'the end of a rollout': { from: ['RollingOut', 'PathRendered'], to: ['Resolved', 'PathRendered'], want: [] },
  'a created configuration that admission did not find at once': {
    from: ['RollingOut', 'PathPending', 'PathPending', 'RuntimeConfigMissing'],
    to: ['Resolved', 'PathRendered', 'PathRendered', 'AsExpected'],
    want: ['RuntimeConfigResolved']
  }
}
for (const [name, { from, to, want }] of Object.entries(transitions)) {
  t.test(`the events of ${name}`, async (t) => {
    const status = (reasons: readonly string[] = []): OwnServiceStatus => ({
      conditions: reasons.map((reason, at) => {
        const status = /Resolved|PathRendered/.test(reason) ? 'True' : 'False'
        return {
          type: SERVICE_CONDITIONS[at] ?? '',
          status,
          reason,
          message: 'why',
          lastTransitionTime: NOW,
          observedGeneration: 1
        }
      })
    })
    const events = statusEvents(status(from), status(to))
    t.strictSame(events.map(({ reason }) => reason), want)
    for (const { type, reason, note } of events) {
      t.strictSame([type, note], [/Resolved|PathRendered|RoutingDisabled/.test(reason) ? 'Normal' : 'Warning', 'why'])
    }
  })
}

t.test('every routing reason but the pending one is an event', async (t) => {
  const events: readonly string[] = SERVICE_EVENT_REASONS
  t.strictSame(ROUTING_REASONS.filter((reason) => !events.includes(reason)), ['PathPending'])
})
