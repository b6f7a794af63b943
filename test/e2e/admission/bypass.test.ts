import t from 'tap'
import { startCluster, type Ran } from '../../support/cluster/cluster.ts'
import { actionsOf, BLOCK, manifest } from '../../support/builders/manifests.ts'
import { startProduct } from '../../support/programs/product.ts'

const ANNOTATION = 'aim.silogen.ai/bypass'

const cluster = await startCluster()
const product = await startProduct(cluster)
const { client, kubectl } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})

const RBAC = 'rbac.authorization.k8s.io'

interface Grant {
  readonly verbs: readonly string[]
  readonly resources: readonly string[]
  readonly users: readonly string[]
  readonly namespace?: string
}

/** Grants verbs on resources of the product's group: in a namespace, or in the cluster. */
async function grant (name: string, { verbs, resources, users, namespace }: Grant): Promise<void> {
  const role = { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name } }
  const binding = {
    apiVersion: `${RBAC}/v1`,
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
    subjects: users.map((user) => ({ apiGroup: RBAC, kind: 'User', name: user }))
  }
  const rules = [{ apiGroups: ['aim.silogen.ai'], resources, verbs }]
  await client.apply(JSON.stringify({ ...role, rules }), JSON.stringify(binding))
}

const namespace = await aNamespace('on-call')
await grant('edits', {
  verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'],
  resources: ['aimservices', 'aimruntimeconfigs'],
  users: ['bound', 'unbound']
})
await grant('bypasses', { verbs: ['bypass'], resources: ['aimservices'], users: ['bound'], namespace })
await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default' }))

interface Attempt {
  readonly user?: string
  readonly in?: string
  readonly reason?: string
  readonly spec?: object
  readonly kind?: 'AIMService' | 'AIMRuntimeConfig'
}

/** Applies an object as a user, with a reason to bypass where there is one. */
async function applyAs (name: string, { user = 'admin', in: where = namespace, reason, spec = {}, kind = 'AIMService' }: Attempt): Promise<Ran> {
  const metadata = reason === undefined ? {} : { annotations: { [ANNOTATION]: reason } }
  return await kubectl(
    [...(user === 'admin' ? [] : ['--as', user]), 'apply', '-f', '-'],
    manifest({ kind, namespace: where, name, metadata, spec })
  )
}

/** What the audit log says of the last change of an object. */
async function lastAudited (name: string) {
  return (await cluster.audited()).findLast(({ verb, objectRef }) => objectRef?.name === name && verb !== 'get')
}

const REASON = 'the server is down, ticket 4711'
const WARNED =
  /Warning: .*aim-admission was bypassed; it resolved and checked nothing \(reason: the server is down, ticket 4711\)/
const UNREADABLE = { routing: { enabled: true, pathTemplate: '/{' } }

t.test('a permitted user with a reason bypasses the webhooks, with a warning and the reason in the audit log', async (t) => {
  const { code, stderr } = await applyAs('past', { user: 'bound', reason: REASON, spec: UNREADABLE })
  t.equal(code, 0, stderr)
  t.match(stderr, WARNED)
  t.equal(await get(namespace, 'past', BLOCK), '')
  t.match(await lastAudited('past'), {
    impersonatedUser: { username: 'bound' }, responseStatus: { code: 201 }, annotations: { 'aim-admission-bypass/reason': REASON }
  })
  t.notOk(
    Object.keys((await lastAudited('past'))?.annotations ?? {}).some((key) => key.startsWith('validate-aimservices')),
    'no webhook was asked'
  )
  t.equal(
    (await applyAs('past', { user: 'bound', reason: REASON, spec: { ...UNREADABLE, replicas: 2 } })).code,
    0,
    'and again on an UPDATE'
  )
})

t.test('the audit log has the configuration of each judged service, its hash, and the path or the faults', async (t) => {
  await applyAs('judged', { spec: { routing: { enabled: true } } })
  const config = `AIMRuntimeConfig ${namespace}/default`
  t.match((await lastAudited('judged'))?.annotations, {
    'mutate-aimservices.aim.silogen.ai/config': config,
    'mutate-aimservices.aim.silogen.ai/path': '/on-call/judged',
    'validate-aimservices.aim.silogen.ai/hash': /^sha256:/,
    'validate-aimservices.aim.silogen.ai/path': '/on-call/judged'
  })
  await applyAs('refused', { spec: UNREADABLE })
  t.match((await lastAudited('refused'))?.annotations, {
    'validate-aimservices.aim.silogen.ai/config': config, 'validate-aimservices.aim.silogen.ai/faults': 'AIM-TEMPLATE-SYNTAX'
  })
})

const underAdmission: Record<string, Attempt> = {
  'the right without a reason': { user: 'bound' },
  'the right with an empty reason': { user: 'bound', reason: '' },
  'a reason without the right': { user: 'unbound', reason: REASON },
  'a reason, and the right in another namespace alone': {
    user: 'bound',
    reason: REASON,
    in: await aNamespace('elsewhere')
  },
  'every right there is, without a reason': {}
}
for (const [name, attempt] of Object.entries(underAdmission)) {
  t.test(`${name} stays under admission`, async (t) => {
    const { code, stderr } = await applyAs('under', { ...attempt, spec: UNREADABLE })
    t.not(code, 0)
    t.match(stderr, /is invalid: spec\.routing\.pathTemplate: /)
    t.notMatch(stderr, /bypassed/)
  })
}

t.test('an edit of a bypassed service by another user is resolved and judged again', async (t) => {
  await applyAs('passed-on', { user: 'bound', reason: REASON })
  t.equal(await get(namespace, 'passed-on', BLOCK), '')
  const { code, stderr } = await kubectl([
    '--as',
    'unbound',
    '-n',
    namespace,
    'patch',
    'aimservice/passed-on',
    '--type=merge',
    '-p',
    '{}'
  ])
  t.equal(code, 0, stderr)
  t.equal(await get(namespace, 'passed-on', `${BLOCK}.name`), 'default')
})

t.test('an exempt namespace goes past the webhooks without any of this', async (t) => {
  const { code, stderr } = await applyAs('own', { in: await aNamespace('aim-system'), spec: UNREADABLE })
  t.equal(code, 0, stderr)
})

t.test('while no server answers, the same holds: only a permitted user with a reason bypasses the webhooks', async (t) => {
  await product.stop()
  t.match((await applyAs('down', {})).stderr, /failed calling webhook "mutate-aimservices\.aim\.silogen\.ai"/)
  t.match((await applyAs('down', { user: 'unbound', reason: REASON })).stderr, /failed calling webhook/)
  const past = await applyAs('down', { user: 'bound', reason: REASON })
  t.equal(past.code, 0, past.stderr)
  t.match(past.stderr, WARNED)
  const config = await applyAs('down', { kind: 'AIMRuntimeConfig', user: 'bound', reason: REASON })
  t.equal(config.code, 0, config.stderr)
  const deleted = await kubectl([
    '--as',
    'bound',
    '-n',
    namespace,
    'delete',
    'aimservice/down',
    'aimruntimeconfig/down'
  ])
  t.equal(deleted.code, 0, deleted.stderr)
})
