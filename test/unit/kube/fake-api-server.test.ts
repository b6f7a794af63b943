import t from 'tap'
import { connectToCluster } from '../../../src/kube/client/api-connection.ts'
import { listAndWatchContract } from '../../support/contracts/list-and-watch.ts'
import { FakeApiServer } from '../../support/fakes/fake-api-server.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'

const path = '/api/v1/configmaps'

t.test('the fake API server behaves like the real one', async (t) => {
  const api = new FakeApiServer()
  await api.start()
  api.streams = true
  api.serve(path)
  const connection = await connectToCluster({
    kubeconfig: `${t.testdir({ kubeconfig: api.kubeconfig })}/kubeconfig`,
    log: silentLog
  })
  t.teardown(async () => {
    await connection.close()
    await api.stop()
  })
  const put = async (name: string) => { api.put(path, name) }
  listAndWatchContract(t, {
    request: connection.request,
    path,
    create: put,
    change: put,
    remove: async (name) => { api.remove(path, name) }
  })
})
