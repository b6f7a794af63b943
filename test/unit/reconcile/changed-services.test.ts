import t from 'tap'
import { ChangedServices } from '../../../src/reconcile/changed-services.ts'
import { snapshotOf, type ServiceSnapshot } from '../../../src/reconcile/service-snapshot.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'

const ID = 'ml-team/llama-chat'
const CHANGE = { config: 'AIMRuntimeConfig/ml-team/default', hash: 'new' }

interface Given {
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  /** The condition Degraded and the generation it observed; undefined without a status. */
  readonly degraded?: 'True' | 'False'
  readonly observedGeneration?: number
}

/** A current service in this state. */
function aSnapshot (
  { generation = 1, labels = {}, degraded, observedGeneration = generation }: Given
): ServiceSnapshot {
  const { world, sinks } = aReconcileWorld()
  sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1))
  const conditions = [{
    type: 'Degraded',
    status: degraded,
    reason: 'AsExpected',
    message: '',
    observedGeneration,
    lastTransitionTime: '2026-01-01T00:00:00Z'
  }]
  const service = stored(admitted(aService({ labels }), world.configs), 1, { generation })
  sinks.AIMService.upsert({ ...service, ...(degraded !== undefined && { status: { conditions } }) })
  const snapshot = snapshotOf(ID, world)
  if (snapshot === undefined) throw new Error('no service')
  return snapshot
}

const healthy: Readonly<Record<string, { readonly given: Given, readonly want: boolean }>> = {
  'a service whose status says so is healthy': { given: { degraded: 'False' }, want: true },
  'a degraded service is not': { given: { degraded: 'True' }, want: false },
  'a new service without a status is not': { given: {}, want: false },
  'a service edited since its status was written is not': {
    given: { degraded: 'False', generation: 3, observedGeneration: 2 },
    want: false
  }
}
for (const [name, { given, want }] of Object.entries(healthy)) {
  t.test(name, async (t) => { t.equal(new ChangedServices().isHealthy(aSnapshot(given)), want) })
}

t.test('an assessment with the carried block is newer than the status', async (t) => {
  const changedServices = new ChangedServices()
  const snapshot = aSnapshot({ degraded: 'False' })
  changedServices.observe(ID, { ...snapshot, fails: true })
  t.notOk(changedServices.isHealthy(snapshot))
  const lagging = aSnapshot({ degraded: 'False', generation: 3, observedGeneration: 2 })
  changedServices.observe(ID, lagging)
  t.ok(changedServices.isHealthy(lagging), 'assessed since the status was written')
})

const observed: Readonly<Record<string, { readonly given: Given | undefined, readonly want: boolean }>> = {
  'counts a service that was not edited': { given: { generation: 2 }, want: true },
  'counts a service whose change the watch has not seen yet': { given: { generation: 1 }, want: true },
  'does not count a service whose spec was edited': { given: { generation: 3 }, want: false },
  'does not count a service whose labels were edited': { given: { generation: 2, labels: { a: 'b' } }, want: false },
  'does not count a deleted service': { given: undefined, want: false }
}
for (const [name, { given, want }] of Object.entries(observed)) {
  t.test(name, async (t) => {
    const changedServices = new ChangedServices()
    const metadata = { generation: 2, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }
    changedServices.add(ID, { ...CHANGE, object: { metadata } }) // the cache drops this annotation
    changedServices.observe(ID, given === undefined ? undefined : aSnapshot(given))
    t.equal(changedServices.has(ID, CHANGE.config, CHANGE.hash), want)
    t.notOk(changedServices.has(ID, CHANGE.config, 'newer'))
  })
}
