import t from 'tap'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { doctorCommand } from '../../../src/cli/commands/doctor/command.ts'
import type { CheckResult } from '../../../src/cli/commands/doctor/format.ts'
import { isJsonObject, ownObject, ownObjects } from '../../../src/platform/json.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds, manifestsOf, startProduct } from '../../support/programs/product.ts'
import { until } from '../../support/until.ts'
import { runPasted, runProgram } from '../../support/programs/program.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const { client } = cluster
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})
await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
await client.apply(...await manifestsOf('rbac'))

/** Runs the command in this process, which is much faster than a process per run. */
async function examine (...flags: string[]): Promise<{ code: number, results: CheckResult[] }> {
  let written = ''
  let code = -1
  const { webhooks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  const output = { write: (text: string) => { written += text }, setExitCode: (given: 0 | 1) => { code = given } }
  await doctorCommand({ webhooks, ...output }).parseAsync([
    '--kubeconfig', cluster.kubeconfig, '--url', product.url, '--ca-file', product.caFile, '--certificate-days', '0', '-o', 'json', ...flags
  ], { from: 'user' })
  // the command's own output
  return {
    code,
    results: written
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as CheckResult)
  }
}

const problemsIn = (results: readonly CheckResult[]) => results.filter(({ kind }) => kind === 'problem')

t.test('finds no problem in a complete installation', async (t) => {
  const { code, results } = await examine()
  t.equal(code, 0)
  t.strictSame(results.filter(({ kind }) => kind !== 'ok'), [])
  t.strictSame(
    [...new Set(results.map(({ check }) => check))],
    ['version', 'definitions', 'registration', 'certificate', 'access', 'policy', 'other-webhooks', 'leftovers']
  )
  const { code: textCode, stdout } = await runProgram([
    'doctor',
    '--kubeconfig',
    cluster.kubeconfig,
    '--url',
    product.url,
    '--ca-file',
    product.caFile,
    '--certificate-days',
    '0'
  ])
  t.equal(textCode, 0)
  t.match(
    stdout,
    new RegExp(`^no problems \\(${results.length} checked: ${results.length} ok, 0 unknown, 0 notes\\)$`, 'm')
  )
})

/** A change of the installation through the API. */
type Damage = () => Promise<void>
const patched = (path: string, ...operations: object[]): Damage => async () => { await client.patch(path, operations) }
const deleted = (path: string): Damage => async () => {
  await client.remove(path)
  await until(async () => await client.stored(path) === undefined) // a definition has a finalizer
}
const REGISTRATIONS = '/apis/admissionregistration.k8s.io/v1'
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const MUTATING = `${REGISTRATIONS}/mutatingwebhookconfigurations/aim-admission`
const VALIDATING = `${REGISTRATIONS}/validatingwebhookconfigurations/aim-admission`
const STRANGE_CA =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJlakNDQVNHZ0F3SUJBZ0lCQVRBS0JnZ3Foa2pPUFFRREFqQVVNUkl3RUFZRFZRUUREQWx6ZEhKaGJtZGwKY2pBZUZ3MHlOakF4TURFd01EQXdNREJhRncwek5qQXhNREV3TURBd01EQmFNQlF4RWpBUUJnTlZCQU1NQ1hOMApjbUZ1WjJWeQo9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K'

const BROKEN: Readonly<Record<string, { readonly by: Damage, readonly subject: RegExp, readonly what: RegExp }>> = {
  'a longer timeout': {
    by: patched(MUTATING, { op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 30 }), subject: /mutate-aimservices/, what: /^timeoutSeconds is 30, not 5$/
  },
  'another failure policy': {
    by: patched(VALIDATING, { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }), subject: /validate-aimservices/, what: /^failurePolicy is "Ignore", not "Fail"$/
  },
  'an object selector and a match condition': {
    by: patched(VALIDATING, { op: 'add', path: '/webhooks/0/objectSelector', value: { matchLabels: { app: 'x' } } },
      { op: 'add', path: '/webhooks/0/matchConditions', value: [{ name: 'never', expression: 'request.name == \'it\'' }] }),
    subject: /validate-aimservices/,
    what: /(?=.*objectSelector\.matchLabels is \{"app":"x"\}, and should not be set)(?=.*matchConditions\[0\]\.expression is )/
  },
  'fewer operations': {
    by: patched(MUTATING, { op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] }), subject: /mutate-aimservices/, what: /^rules\[0\]\.operations\[1\] is not set, and should be "UPDATE"$/
  },
  'no exempt namespaces': {
    by: patched(VALIDATING, { op: 'replace', path: '/webhooks/0/namespaceSelector', value: {} }),
    subject: /validate-aimservices/,
    what: /^namespaceSelector\.matchExpressions is not set, and should be \[/
  },
  'a missing webhook': {
    by: patched(VALIDATING, { op: 'remove', path: '/webhooks/1' }),
    subject: /aimruntimeconfigs/,
    what: /^is missing$/
  },
  'a missing webhook configuration': {
    by: deleted(MUTATING),
    subject: /^MutatingWebhookConfiguration aim-admission$/,
    what: /^is missing, so the API server calls no webhook$/
  },
  'a missing policy': {
    by: deleted(`${REGISTRATIONS}/validatingadmissionpolicies/aim-admission-ca-bundle-only`), subject: /^ValidatingAdmissionPolicy aim-admission-ca-bundle-only$/, what: /^is missing, so the rights of serve are not limited/
  },
  'a policy binding that only warns': {
    by: patched(`${REGISTRATIONS}/validatingadmissionpolicybindings/aim-admission-ca-bundle-only`,
      { op: 'replace', path: '/spec/validationActions', value: ['Warn'] }),
    subject: /^ValidatingAdmissionPolicyBinding aim-admission-ca-bundle-only$/,
    what: /^validationActions\[0\] is "Warn", not "Deny"$/
  },
  'a missing definition': {
    by: deleted(`${DEFINITIONS}/aimruntimeconfigs.aim.silogen.ai`), subject: /aimruntimeconfigs\.aim\.silogen\.ai/, what: /^is missing, so no such object can be stored$/
  },
  'a definition of another version': {
    by: patched(`${DEFINITIONS}/aimservices.aim.silogen.ai`,
      { op: 'remove', path: '/spec/versions/0/additionalPrinterColumns' }),
    subject: /aimservices\.aim\.silogen\.ai/,
    what: /^differs from this version of the program: versions\[0\]\.additionalPrinterColumns is not set/
  },
  'a missing right': {
    by: deleted('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aim-admission'), subject: /^ServiceAccount aim-system\/aim-admission$/, what: /^may not .*list aimservices\.aim\.silogen\.ai/
  },
  'a missing right of the break-glass user': {
    by: deleted('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aim-admission-break-glass-user'), subject: /^User aim-admission:break-glass$/, what: /^may not .*create aimservices\.aim\.silogen\.ai/
  },
  'an empty caBundle': {
    by: patched(MUTATING, { op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }), subject: /mutate-aimservices/, what: /^the caBundle is empty, so the API server cannot verify the server$/
  },
  'a foreign caBundle': {
    by: patched(MUTATING, { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: STRANGE_CA }), subject: /mutate-aimservices/, what: /^the caBundle does not verify the served certificate: /
  }
}

for (const [name, { by, subject, what }] of Object.entries(BROKEN)) {
  t.test(`reports ${name}, and prints a command that fixes it`, async (t) => {
    await by()
    const { code, results } = await examine()
    const [problem, ...more] = problemsIn(results)
    t.strictSame([code, more], [1, []])
    t.match(problem, { subject, what })
    const fixed = await runPasted(problem?.kind === 'problem' ? problem.fix ?? 'false' : 'false', {
      KUBECONFIG: cluster.kubeconfig,
      HOME: cluster.dir
    })
    t.equal(fixed.code, 0, fixed.stderr)
    if (name.includes('definition')) await installCrds(cluster) // waits until they are served
    t.strictSame(problemsIn((await examine()).results), [])
  })
}

t.test('notes exemptions that AKS adds, and leaves them alone when it fixes another field', async (t) => {
  const before = await Promise.all([MUTATING, VALIDATING].map(async (path) => {
    const live: unknown = await client.stored(path)
    return { path, webhooks: isJsonObject(live) ? ownObjects(live, 'webhooks') : [] }
  }))
  // as the admission enforcer writes them, before and after the program's own
  const aks = [
    { key: 'control-plane', operator: 'NotIn', values: ['true'] },
    { key: 'kubernetes.azure.com/managedby', operator: 'NotIn', values: ['aks'] }
  ]
  for (const { path, webhooks } of before) {
    await client.patch(path, webhooks.map((webhook, at) => ({
      op: 'add',
      path: `/webhooks/${at}/namespaceSelector`,
      value: {
        matchExpressions: [aks[0], ...ownObjects(ownObject(webhook, 'namespaceSelector'), 'matchExpressions'), aks[1]]
      }
    })))
  }
  const { code, results } = await examine()
  const registration = results.filter(({ check }) => check === 'registration')
  t.equal(code, 0)
  t.strictSame([...new Set(registration.map(({ kind }) => kind))], ['note'])
  t.match(registration[0]?.what, /AKS exempts .* admissions\.enforcer\/disabled=true \(chart value webhooks\.labels\)/)
  await client.patch(MUTATING, [{ op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 3 }])
  const [problem] = problemsIn((await examine()).results)
  t.equal(problem?.what, 'timeoutSeconds is 3, not 5')
  t.notMatch(problem?.kind === 'problem' ? problem.fix : '', /namespaceSelector/)
  for (const { path, webhooks } of before) {
    await client.patch(path, [{ op: 'replace', path: '/webhooks', value: webhooks }])
  }
  t.strictSame((await examine()).results.filter(({ kind }) => kind !== 'ok'), [])
})

t.test('reports an unexpected webhook, and prints a command that removes it', async (t) => {
  const webhook = {
    name: 'stray.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/' },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Ignore',
    matchConditions: [{ name: 'none', expression: 'false' }]
  }
  await client.patch(VALIDATING, [{ op: 'add', path: '/webhooks/-', value: webhook }])
  const [problem] = problemsIn((await examine()).results).filter(({ check }) => check === 'registration')
  t.match(problem, { subject: /stray\.example\.com/, what: 'is not a webhook of the program' })
  t.equal(
    (
      await runPasted(problem?.kind === 'problem' ? problem.fix ?? 'false' : 'false', {
        KUBECONFIG: cluster.kubeconfig,
        HOME: cluster.dir
      })
    ).code,
    0
  )
  t.strictSame(problemsIn((await examine()).results), [])
})

t.test('prints no command that would take fields of a later version away', async (t) => {
  const path = `${DEFINITIONS}/aimservices.aim.silogen.ai`
  const field = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/later'
  await client.patch(path, [{ op: 'add', path: field, value: { type: 'string' } }])
  const [problem, ...more] = problemsIn((await examine()).results)
  t.match(problem, { check: 'definitions', what: /it has fields that this version lacks/ })
  t.strictSame([problem !== undefined && 'fix' in problem, more], [false, []])
  await client.patch(path, [{ op: 'remove', path: field }])
})

const OLD = 'aim-admission-bypass'
const OLD_ANNOTATION = 'aim.silogen.ai/bypass'
const RBAC = 'rbac.authorization.k8s.io'
/** What an installation of an earlier version leaves: the role, two bindings, the policy and its binding. */
const LEFT = [
  { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: OLD }, rules: [] },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'on-call' },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: OLD }
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: { name: '-it', namespace: 'default' },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: OLD }
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: OLD },
    spec: {
      matchConstraints: {
        resourceRules: [{
          apiGroups: ['aim.silogen.ai'],
          apiVersions: ['v1alpha1'],
          operations: ['CREATE'],
          resources: ['aimservices']
        }]
      },
      validations: [{ expression: 'true' }]
    }
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: OLD },
    spec: { policyName: OLD, validationActions: ['Warn', 'Audit'] }
  }
]

t.test('reports what an earlier version left, and prints a command that removes each', async (t) => {
  await client.apply(...LEFT.map((object) => JSON.stringify(object)))
  const annotations = { [OLD_ANNOTATION]: 'because' }
  await client.apply(
    manifest({ namespace: 'default', name: 'left', metadata: { annotations } }),
    manifest({ kind: 'AIMRuntimeConfig', namespace: 'default', name: 'left', metadata: { annotations } }),
    manifest({ kind: 'AIMClusterRuntimeConfig', name: 'left', metadata: { annotations } })
  )
  const { code, results } = await examine()
  t.equal(code, 1)
  const left = results.filter(({ check }) => check === 'leftovers')
  t.strictSame(left.map(({ kind, subject }) => `${kind} ${subject}`), [
    `problem ValidatingAdmissionPolicyBinding ${OLD}`,
    `problem ValidatingAdmissionPolicy ${OLD}`,
    `problem ClusterRole ${OLD}`,
    'problem ClusterRoleBinding on-call',
    'problem RoleBinding default/-it',
    'note AIMRuntimeConfig default/left',
    'note AIMClusterRuntimeConfig left',
    'note AIMService default/left'
  ])
  for (const result of left) {
    const fixed = await runPasted('fix' in result ? result.fix ?? 'false' : 'false', {
      KUBECONFIG: cluster.kubeconfig,
      HOME: cluster.dir
    })
    t.equal(fixed.code, 0, fixed.stderr)
  }
  t.match((await examine()).results.filter(({ check }) => check === 'leftovers'), [{ kind: 'ok' }])
})

t.test('lists 20 of the objects with the old annotation, as notes: every tenant can create any number', async (t) => {
  const names = Array.from({ length: 23 }, (_, at) => `annotated-${at}`)
  const metadata = { annotations: { [OLD_ANNOTATION]: '' } }
  await client.apply(...names.map((name) => manifest({ namespace: 'default', name, metadata })))
  const { code, results } = await examine()
  t.equal(code, 0)
  const left = results.filter(({ check }) => check === 'leftovers')
  t.equal(left.length, 21)
  t.match(left.at(-1), { kind: 'note', subject: '3 more of kind AIMService' })
  await Promise.all(names.map(async (name) => {
    await client.remove(`${inNamespace('default').services}/${name}`)
  }))
})

t.test('reports a certificate that expires soon', async (t) => {
  const { code, results } = await examine('--certificate-days', '365')
  t.equal(code, 1)
  t.match(problemsIn(results), [
    { check: 'certificate', what: /^the served certificate expires on .+, in \d+\.\d days$/ }
  ])
})

t.test('an unreachable server is unknown, not a problem', async (t) => {
  const { code, results } = await examine('--server', '127.0.0.1:1')
  t.equal(code, 0)
  t.match(
    results.filter(({ kind }) => kind === 'unknown'),
    [{ check: 'certificate', what: /^is not reachable from here: / }]
  )
})

t.test('notes other webhooks for these kinds', async (t) => {
  const webhooks = [{
    name: 'policy.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/' },
    rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['*'] }],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Ignore',
    matchConditions: [{ name: 'none', expression: 'false' }]
  }]
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'policy' },
    webhooks
  }
  await client.apply(JSON.stringify(configuration))
  const { code, results } = await examine()
  t.equal(code, 0)
  t.match(results.filter(({ kind }) => kind === 'note'), [{
    subject: 'ValidatingWebhookConfiguration policy, policy.example.com', what: 'is called for these kinds too, with failurePolicy Ignore'
  }])
})

t.test('reports every unusable flag', async (t) => {
  const { code, stderr } = await runProgram([
    'doctor',
    '--certificate-days',
    'many',
    '--server',
    'here',
    '--timeout-seconds',
    '9'
  ])
  t.equal(code, 2)
  t.strictSame(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => /--\S+/.exec(line)?.[0]),
    ['--timeout-seconds', '--certificate-days', '--server']
  )
})
