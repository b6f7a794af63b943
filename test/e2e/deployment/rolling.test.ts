import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { createLoad } from '../../support/cluster/create-load.ts'
import { startReplicas } from '../../support/programs/replicas.ts'

const cluster = await startCluster()
const replicas = await startReplicas(cluster, {
  delay: { min: 500, max: 1_500 },
  flags: ['--drain-min', '2500ms', '--drain-quiet', '500ms']
})
t.teardown(async () => {
  await replicas.stop()
  await cluster.stop()
})

t.test('replicas are replaced twice while services are created, and not one create fails', async (t) => {
  await cluster.client.create('/api/v1/namespaces', { metadata: { name: 'rolling' } })
  const load = createLoad(cluster, { namespace: 'rolling', count: 400, rate: 25 })
  const codes = [...await replicas.roll(), ...await replicas.roll()]
  const { created, failed } = await load
  t.strictSame([created, failed], [400, []])
  t.strictSame(await Promise.all(codes), [0, 0, 0, 0], 'each old one ended well')
})
