import t from 'tap'
import { ownObject } from '../../../src/platform/json.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { checkModel } from '../../support/tenants/model.ts'
import { SimulatedCluster } from '../../support/tenants/simulated-cluster.ts'
import { blockOf } from '../../support/tenants/stored.ts'

/** A small run; `npm run test:chaos` takes many more steps. */
const STEPS = 3_000
/** The same steps each time. The random ones differ; a failure prints their seed, for `checkModel(STEPS, seed)`. */
const SEEDS = { 'fixed steps': 1, 'random steps': undefined }

for (const [title, seed] of Object.entries(SEEDS)) {
  t.test(`no tenant takes the path of another in ${title}`, async (t) => {
    await t.resolves(checkModel(STEPS, seed))
  })
}

t.test('a service whose block a replica with an outdated cache removes gets it back', async (t) => {
  const cluster = new SimulatedCluster()
  const [current, outdated] = [{ mutating: 0, validating: 0 }, { mutating: 1, validating: 1 }]
  const key = { namespace: 'evil', name: 'a' }
  cluster.write(aService(key), current)
  cluster.write(aConfig({ defaultStorageClassName: 'fast' }, { namespace: 'evil', name: 'default' }), current)
  cluster.triggersJudgedBy = current
  for (const watcher of [0, 2, 3]) {
    for (const kind of ['AIMService', 'AIMRuntimeConfig'] as const) cluster.deliver(watcher, kind, Infinity)
  }
  for (let turn = 0; turn < 100 && blockOf(cluster.get('AIMService', key))['name'] === undefined; turn++) {
    await cluster.reconcile(1, 1)
  }
  t.equal(blockOf(cluster.get('AIMService', key))['name'], 'default', 'the reconciler triggers admission')
  // the leader receives both changes at once
  const stored = cluster.get('AIMService', key) ?? {}
  cluster.write({ ...stored, spec: { ...ownObject(stored, 'spec'), replicas: 2 } }, outdated)
  t.strictSame(blockOf(cluster.get('AIMService', key)), {})
  await cluster.quiet()
  t.equal(blockOf(cluster.get('AIMService', key))['name'], 'default')
  await cluster.stop()
})
