import t from 'tap'
import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds } from '../../support/programs/product.ts'
import { SCHEMA_CASES } from '../../support/builders/schema-cases.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const cluster = await startCluster()
t.teardown(async () => { await cluster.stop() })
await installCrds(cluster)

interface Answer { readonly code: number, readonly message: string }

/** What the API server says of an object that is not stored; unknown fields are refused, as kubectl has it. */
async function tried (object: JsonObject): Promise<Answer> {
  const kind = KINDS.find((known) => known.kind === object['kind'])
  if (kind === undefined) throw new Error('not one of the kinds')
  const collection = kind.scope === 'Cluster' ? kind.plural : `namespaces/default/${kind.plural}`
  const { statusCode, body } = await cluster.client.request(`/apis/${API_VERSION}/${collection}`, {
    method: 'POST', query: { dryRun: 'All', fieldValidation: 'Strict' }, headers: { 'content-type': 'application/json' }, body: JSON.stringify(object)
  })
  const answer = await body.json() as { message?: string } // an object, or a Status
  return { code: statusCode, message: answer.message ?? '' }
}

t.test('the API server judges every object as the offline validator does', async (t) => {
  for (const [name, { object, faults }] of Object.entries(SCHEMA_CASES)) {
    const { code, message } = await tried(object)
    t.equal(code < 300, Object.keys(faults).length === 0, `${name}: ${code} ${message}`)
  }
})

t.test('the status of an operator is stored, and shown as a column', async (t) => {
  const services = `/apis/${API_VERSION}/namespaces/default/aimservices`
  await cluster.client.create(services, {
    apiVersion: API_VERSION, kind: 'AIMService', metadata: { name: 'run' }, spec: { model: { ref: 'a' } }
  })
  const used = { kind: 'AIMRuntimeConfig', name: 'default', scope: 'Merged', uid: 'u' }
  const status = {
    status: 'Running',
    observedGeneration: 1,
    resolvedRuntimeConfig: used,
    resolvedImage: { ...used, kind: 'AIMClusterModel', scope: 'Cluster' },
    resolvedTemplate: { ...used, kind: 'AIMServiceTemplate', namespace: 'default', scope: 'Unknown' },
    routing: { path: '/default/u' }
  }
  const service = await cluster.client.stored<JsonObject>(`${services}/run`)
  const { statusCode, body } = await cluster.client.request(`${services}/run/status`, {
    method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...service, status })
  })
  const text = await body.text()
  t.equal(statusCode, 200, text)
  t.match(JSON.parse(text), { status })
  const { stdout } = await cluster.kubectl(['get', '-n', 'default', 'aimsvc/run'])
  t.match(stdout, /^NAME +STATUS +CONFIG.*\nrun +Running /)
})
