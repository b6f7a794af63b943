import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { KINDS } from '../../../src/api/kinds.ts'
import { manifestsCommand } from '../../../src/cli/commands/manifests/command.ts'
import { aTestAuthority } from '../../support/builders/test-certificates.ts'
import { MATCH_CONDITIONS, type RegisteredWebhook } from '../../../webhooks/webhook-configurations.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const resource = (resource: string, kind: string, scope: 'Namespaced' | 'Cluster') => ({
  group: 'aim.silogen.ai',
  version: 'v1alpha1',
  resource,
  kind,
  scope
})
const WEBHOOKS: readonly RegisteredWebhook[] = [
  {
    path: '/mutate/aimservices',
    type: 'mutating',
    resource: resource('aimservices', 'AIMService', 'Namespaced'),
    registrations: [
      { name: 'mutate.aimservices.aim.silogen.ai', operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ]
  },
  {
    path: '/validate/aimclusterruntimeconfigs',
    type: 'validating',
    resource: resource('aimclusterruntimeconfigs', 'AIMClusterRuntimeConfig', 'Cluster'),
    registrations: [
      {
        name: 'validate.aimclusterruntimeconfigs.aim.silogen.ai',
        operations: ['CREATE', 'UPDATE'],
        failurePolicy: 'Configured'
      },
      { name: 'warn.aimclusterruntimeconfigs.aim.silogen.ai', operations: ['DELETE'], failurePolicy: 'Ignore' }
    ]
  }
]

/** What the command prints, as text and as objects, and its problems with flags. */
async function run (...flags: string[]): Promise<{ text: string, objects: JsonObject[], problems: string[] }> {
  let text = ''
  let problems = ''
  const command = manifestsCommand({ webhooks: WEBHOOKS, write: (part) => { text += part } })
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({
      writeErr: (part) => { problems += part }
    })
  }
  await command.parseAsync(flags, { from: 'user' }).catch((error: unknown) => {
    if (problems === '') throw error
  })
  const objects = parseAllDocuments(text).map((document) => document.toJS() as JsonObject)
  return { text, objects, problems: problems.split('\n').filter((line) => line !== '') }
}

const titles = (objects: readonly JsonObject[]) =>
  objects.map(({ kind, metadata }) => `${String(kind)} ${(metadata as { name: string }).name}`)

for (const what of ['crds', 'rbac', 'webhooks']) {
  t.test(`prints equal ${what} each time`, async (t) => {
    t.equal((await run(what)).text, (await run(what)).text)
  })
}

t.test('prints the definitions of the three kinds', async (t) => {
  t.same(
    titles((await run('crds')).objects),
    KINDS.map(({ plural }) => `CustomResourceDefinition ${plural}.aim.silogen.ai`)
  )
})

t.test('rbac grants the server the three kinds and its certificates, and nothing else', async (t) => {
  const { objects } = await run('rbac', '--namespace', 'platform')
  t.same(titles(objects).slice(0, 5), [
    'ServiceAccount aim-admission',
    'ClusterRole aim-admission',
    'ClusterRoleBinding aim-admission',
    'Role aim-admission',
    'RoleBinding aim-admission'
  ])
  const [account, role, binding, ownRole, ownBinding] = objects
  t.match(account, { metadata: { namespace: 'platform' } })
  const plurals = KINDS.map(({ plural }) => plural)
  t.same(role?.['rules'], [{ apiGroups: ['aim.silogen.ai'], resources: plurals, verbs: ['list', 'watch'] }, {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
    resourceNames: ['aim-admission'],
    verbs: ['get', 'patch']
  }])
  t.same(ownRole?.['rules'], [
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['aim-admission-tls'], verbs: ['get', 'update'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list'] }
  ])
  t.match(
    [ownRole, ownBinding],
    [
      { metadata: { namespace: 'platform' } },
      { metadata: { namespace: 'platform' }, roleRef: { kind: 'Role', name: 'aim-admission' } }
    ]
  )
  t.match(binding, {
    roleRef: { name: 'aim-admission' },
    subjects: [{ kind: 'ServiceAccount', name: 'aim-admission', namespace: 'platform' }]
  })
})

for (const source of ['cert-manager', 'files']) {
  t.test(`rbac --certificates ${source} grants the server the three kinds, and nothing else`, async (t) => {
    const { objects } = await run('rbac', '--certificates', source)
    t.same(titles(objects).slice(0, 4), [
      'ServiceAccount aim-admission', 'ClusterRole aim-admission', 'ClusterRoleBinding aim-admission',
      'ServiceAccount aim-admission-reconcile'
    ])
    const resources = KINDS.map(({ plural }) => plural)
    t.same(objects[1]?.['rules'], [{ apiGroups: ['aim.silogen.ai'], resources, verbs: ['list', 'watch'] }])
    t.notMatch(JSON.stringify(objects), /secrets|webhookconfigurations/)
  })
}

t.test('rbac grants the reconciler its writes, and nothing else', async (t) => {
  const objects = (await run('rbac', '--namespace', 'platform')).objects.slice(5, 10)
  t.same(
    titles(objects),
    ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'].map(
      (kind) => `${kind} aim-admission-reconcile`
    )
  )
  const [account, clusterRole, clusterBinding, role, binding] = objects
  t.match([account, role, binding], Array(3).fill({ metadata: { namespace: 'platform' } }))
  const plurals = KINDS.map(({ plural }) => plural)
  t.same(clusterRole?.['rules'], [
    { apiGroups: ['aim.silogen.ai'], resources: plurals, verbs: ['list', 'watch'] },
    {
      apiGroups: ['aim.silogen.ai'],
      resources: ['aimservices', ...plurals.map((plural) => `${plural}/status`)],
      verbs: ['patch']
    },
    { apiGroups: ['aim.silogen.ai'], resources: ['aimservices'], verbs: ['create'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }
  ])
  t.same(role?.['rules'], [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: ['aim-admission-reconcile'],
      verbs: ['get', 'update']
    }
  ])
  const subjects = [{ kind: 'ServiceAccount', name: 'aim-admission-reconcile', namespace: 'platform' }]
  t.match(clusterBinding, { roleRef: { kind: 'ClusterRole', name: 'aim-admission-reconcile' }, subjects })
  t.match(binding, { roleRef: { kind: 'Role', name: 'aim-admission-reconcile' }, subjects })
})

t.test('rbac has an unbound role to impersonate the break-glass user, and grants that user the kinds', async (t) => {
  const user = 'aim-admission:break-glass'
  const objects = (await run('rbac')).objects.slice(10, 13)
  t.match(objects, [
    { kind: 'ClusterRole', metadata: { name: 'aim-admission-break-glass' } },
    { kind: 'ClusterRole', metadata: { name: 'aim-admission-break-glass-user' } },
    {
      kind: 'ClusterRoleBinding',
      roleRef: { name: 'aim-admission-break-glass-user' },
      subjects: [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }]
    }
  ])
  t.equal(objects.length, 3)
  t.same(objects[0]?.['rules'], [
    { apiGroups: [''], resources: ['users'], resourceNames: [user], verbs: ['impersonate'] }
  ])
  t.same(objects[1]?.['rules'], [{
    apiGroups: ['aim.silogen.ai'],
    resources: KINDS.map(({ plural }) => plural),
    verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']
  }])
})

t.test('prints the registrations of the webhooks', async (t) => {
  const { objects } = await run('webhooks')
  t.same(titles(objects), [
    'MutatingWebhookConfiguration aim-admission', 'ValidatingWebhookConfiguration aim-admission'
  ])
  const exempt = {
    matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'aim-system'] }]
  }
  t.same(objects[0]?.['webhooks'], [{
    name: 'mutate.aimservices.aim.silogen.ai',
    clientConfig: { service: { namespace: 'aim-system', name: 'aim-admission', path: '/mutate/aimservices' } },
    rules: [
      {
        apiGroups: ['aim.silogen.ai'],
        apiVersions: ['v1alpha1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['aimservices'],
        scope: 'Namespaced'
      }
    ],
    namespaceSelector: exempt,
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    matchConditions: MATCH_CONDITIONS,
    reinvocationPolicy: 'IfNeeded',
    sideEffects: 'None',
    timeoutSeconds: 5,
    admissionReviewVersions: ['v1']
  }])
  const common = {
    matchPolicy: 'Equivalent',
    matchConditions: MATCH_CONDITIONS,
    sideEffects: 'None',
    timeoutSeconds: 5,
    admissionReviewVersions: ['v1']
  }
  const clientConfig = {
    service: { namespace: 'aim-system', name: 'aim-admission', path: '/validate/aimclusterruntimeconfigs' }
  }
  const rule = {
    apiGroups: ['aim.silogen.ai'],
    apiVersions: ['v1alpha1'],
    resources: ['aimclusterruntimeconfigs'],
    scope: 'Cluster'
  }
  t.same(objects[1]?.['webhooks'], [
    {
      ...common,
      name: 'validate.aimclusterruntimeconfigs.aim.silogen.ai',
      clientConfig,
      rules: [{ ...rule, operations: ['CREATE', 'UPDATE'] }],
      failurePolicy: 'Fail'
    },
    {
      ...common,
      name: 'warn.aimclusterruntimeconfigs.aim.silogen.ai',
      clientConfig,
      rules: [{ ...rule, operations: ['DELETE'] }],
      failurePolicy: 'Ignore'
    }
  ])
})

const flagged: Record<string, { flags: string[], want: object }> = {
  '--failure-policy sets the failure policy': {
    flags: ['--failure-policy', 'Ignore'],
    want: { failurePolicy: 'Ignore' }
  },
  '--timeout-seconds sets the timeout': { flags: ['--timeout-seconds', '2'], want: { timeoutSeconds: 2 } },
  '--namespace exempts the namespace of the program': {
    flags: ['--namespace', 'platform'],
    want: {
      clientConfig: { service: { namespace: 'platform' } },
      namespaceSelector: { matchExpressions: [{ values: ['kube-system', 'platform'] }] }
    }
  },
  '--service-name and --service-namespace set the Service': {
    flags: ['--service-name', 'aim', '--service-namespace', 'edge'],
    want: { clientConfig: { service: { name: 'aim', namespace: 'edge' } } }
  }
}
for (const [name, { flags, want }] of Object.entries(flagged)) {
  t.test(name, async (t) => { t.match((await run('webhooks', ...flags)).objects, [{ webhooks: [want] }, {}]) })
}

t.test('--url and --ca-file set the address and the certificates, without keys of the file', async (t) => {
  const { cert, key } = await (await aTestAuthority('an authority')).issue('a server')
  const folder = t.testdir({ 'ca.pem': `${key}\n# ours\n${cert}\n` })
  const { objects, text } = await run('webhooks', '--url', 'https://127.0.0.1:8443/', '--ca-file', `${folder}/ca.pem`)
  t.match(objects, [
    { webhooks: [{ clientConfig: { url: 'https://127.0.0.1:8443/mutate/aimservices', caBundle: String } }] },
    {}
  ])
  const [caBundle = ''] = /(?<=caBundle: )\S+/.exec(text) ?? []
  t.equal(Buffer.from(caBundle, 'base64').toString().trim(), cert.trim())
})

const refused: Record<string, { flags: string[], want: RegExp[] }> = {
  '--url needs --ca-file': { flags: ['--url', 'https://a'], want: [/--url needs --ca-file/] },
  '--ca-file needs --url': { flags: ['--ca-file', '/a'], want: [/--ca-file needs --url/] },
  'reports every problem': {
    flags: ['--url', 'http://user@a?b', '--ca-file', '/none/ca.pem', '--timeout-seconds', '10'],
    want: [
      /--url must be https:.*, not "http:\/\/user@a\?b"/,
      /--ca-file \/none\/ca\.pem is unusable: ENOENT/,
      /--timeout-seconds must be a whole number from 1 to 5, not "10"/
    ]
  },
  '--failure-policy is Fail or Ignore': { flags: ['--failure-policy', 'Maybe'], want: [/Allowed choices are Fail, Ignore/] }
}
for (const [name, { flags, want }] of Object.entries(refused)) {
  t.test(name, async (t) => {
    const { text, problems } = await run('webhooks', ...flags)
    t.equal(text, '')
    t.match(problems, want)
    t.equal(problems.length, want.length)
  })
}

t.test('refuses a --ca-file without a certificate', async (t) => {
  const folder = t.testdir({ 'ca.pem': 'hello\n' })
  t.match((await run('webhooks', '--url', 'https://a', '--ca-file', `${folder}/ca.pem`)).problems, [
    /has no PEM certificate/
  ])
})
