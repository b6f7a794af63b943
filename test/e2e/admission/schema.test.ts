import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds } from '../../support/programs/product.ts'
import { METADATA_CASES } from '../../support/builders/metadata-cases.ts'
import { localObject } from '../../../src/offline/local-object.ts'
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

/** What kubectl says of one file, on its own line or in a list. */
const REFUSAL = /(?:error when creating|unable to decode) "[^"]*\/(\d+)\.json": .*?(?=, unable to decode "|\n|$)/g

t.test('kubectl --dry-run=server refuses the same metadata as the offline validator', async (t) => {
  const folder = t.testdir()
  const objects = METADATA_CASES.map((metadata, at) => ({
    apiVersion: API_VERSION,
    kind: 'AIMService',
    metadata: { name: `case-${at}`, namespace: 'default', labels: { at: String(at) }, ...metadata },
    spec: { model: { ref: String(at) } }
  }))
  const file = (at: number) => path.join(folder, `${at}.json`)
  await Promise.all(objects.map((object, at) => writeFile(file(at), JSON.stringify(object))))
  const create = async (at: number[]) => await cluster.kubectl([
    'create', '--dry-run=server', '-o', 'jsonpath={.spec.model.ref}{"\\n"}', ...at.flatMap((each) => ['-f', file(each)])
  ])
  // Many in one process; objects without a result run again alone.
  const batches = await mapLimit([...Array(Math.ceil(objects.length / 64)).keys()], async (batch) =>
    await create([...objects.keys()].slice(batch * 64, batch * 64 + 64)))
  const created = new Set(batches.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean).map(Number)))
  const refusals = new Map(batches.flatMap(({ stderr }) =>
    [...stderr.matchAll(REFUSAL)].map(([line, at]) => [Number(at), line])))
  const results = await mapLimit(objects, async (_, at) =>
    created.has(at)
      ? { code: 0, stderr: '' }
      : refusals.has(at)
        ? { code: 1, stderr: refusals.get(at) }
        : await create([at]))
  const differing = objects.flatMap((object, at) => {
    const local = localObject(object)
    const [ours, theirs] = [local?.errors.length === 0, results[at]?.code === 0]
    const text = JSON.stringify(METADATA_CASES[at])
    const shown = { metadata: text.slice(0, 200), errors: local?.errors, kubectl: results[at]?.stderr }
    return ours === theirs ? [] : [shown]
  })
  t.same(differing, [])
  const refused = results.filter(({ code }) => code !== 0).length
  t.comment(`${objects.length} objects, of which kubectl refuses ${refused}`)
  t.ok(objects.length > 250 && refused > 100)
})

/** Four at a time. */
async function mapLimit<T, R> (items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const left = items.entries()
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (const [at, item] of left) results[at] = await work(item, at)
  }))
  return results
}

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
