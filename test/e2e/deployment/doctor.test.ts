import t from 'tap'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { doctorCommand } from '../../../src/cli/commands/doctor/command.ts'
import type { CheckResult } from '../../../src/cli/commands/doctor/check-result.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installCrds, startProduct } from '../../support/programs/product.ts'
import { outputOf, runPasted, runProgram } from '../../support/programs/program.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const { kubectl } = cluster
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})
await kubectl(['create', 'namespace', 'aim-system'])
await kubectl(['apply', '-f', '-'], await outputOf(['manifests', 'rbac']))

/** The command in this process, which is much faster than a process for each examination. */
async function examine (...flags: string[]): Promise<{ code: number, findings: CheckResult[] }> {
  let written = ''
  let code = -1
  const { webhooks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  await doctorCommand({ webhooks, write: (text) => { written += text }, setExitCode: (given) => { code = given } }).parseAsync([
    '--kubeconfig', cluster.kubeconfig, '--url', product.url, '--ca-file', product.caFile, '--certificate-days', '0', '-o', 'json', ...flags
  ], { from: 'user' })
  // the command's own output
  return {
    code,
    findings: written
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as CheckResult)
  }
}

const problemsIn = (findings: readonly CheckResult[]) => findings.filter((finding) => finding.kind === 'problem')

t.test('a sound cluster is well', async (t) => {
  const { code, findings } = await examine()
  t.equal(code, 0)
  t.strictSame(findings.filter(({ kind }) => kind !== 'well'), [])
  t.strictSame(
    [...new Set(findings.map(({ check }) => check))],
    ['definitions', 'registration', 'bypass', 'certificate', 'access', 'other-webhooks']
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
    new RegExp(`^${findings.length} looked at: ${findings.length} well, 0 to mend, 0 unknown, 0 to note$`, 'm')
  )
})

const patchedAs = (kind: string, name: string, ...operations: object[]) => [
  'patch',
  kind,
  name,
  '--type=json',
  '-p',
  JSON.stringify(operations)
]
const patched = (configuration: string, ...operations: object[]) =>
  patchedAs(configuration, 'aim-admission', ...operations)
const POLICY = ['validatingadmissionpolicy', 'aim-admission-bypass'] as const
const BINDING = ['validatingadmissionpolicybinding', 'aim-admission-bypass'] as const
const MUTATING = 'mutatingwebhookconfiguration'
const VALIDATING = 'validatingwebhookconfiguration'
const STRANGE_CA =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJlakNDQVNHZ0F3SUJBZ0lCQVRBS0JnZ3Foa2pPUFFRREFqQVVNUkl3RUFZRFZRUUREQWx6ZEhKaGJtZGwKY2pBZUZ3MHlOakF4TURFd01EQXdNREJhRncwek5qQXhNREV3TURBd01EQmFNQlF4RWpBUUJnTlZCQU1NQ1hOMApjbUZ1WjJWeQo9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K'

const BROKEN: Readonly<Record<string, { readonly by: readonly string[], readonly subject: RegExp, readonly what: RegExp }>> = {
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
    what: /objectSelector\.matchLabels is \{"app":"x"\}, and should not be set; matchConditions is |matchConditions is .*; objectSelector/
  },
  'fewer operations': {
    by: patched(MUTATING, { op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] }), subject: /mutate-aimservices/, what: /^rules is \[\{.*, not \[\{/
  },
  'no exempt namespaces': {
    by: patched(VALIDATING, { op: 'replace', path: '/webhooks/0/namespaceSelector', value: {} }),
    subject: /validate-aimservices/,
    what: /^namespaceSelector\.matchExpressions is not set, and should be \[/
  },
  'a webhook that is gone': {
    by: patched(VALIDATING, { op: 'remove', path: '/webhooks/1' }),
    subject: /aimruntimeconfigs/,
    what: /^is missing$/
  },
  'a configuration that is gone': {
    by: ['delete', MUTATING, 'aim-admission'],
    subject: /^MutatingWebhookConfiguration aim-admission$/,
    what: /^is missing, so the API server asks nobody$/
  },
  'a record of bypasses that is gone': {
    by: ['delete', ...POLICY], subject: /^ValidatingAdmissionPolicy aim-admission-bypass$/, what: /^is missing, so a bypass is neither told .* nor recorded/
  },
  'a record of bypasses that is bound to nothing': {
    by: ['delete', ...BINDING], subject: /^ValidatingAdmissionPolicyBinding aim-admission-bypass$/, what: /^is missing, so a bypass is neither told/
  },
  'a record of bypasses that refuses them': {
    by: patchedAs(...BINDING, { op: 'replace', path: '/spec/validationActions', value: ['Deny'] }),
    subject: /^ValidatingAdmissionPolicyBinding /,
    what: /^validationActions is \["Deny"\], not \["Warn","Audit"\]$/
  },
  'a record of bypasses that misses some': {
    by: patchedAs(...POLICY, { op: 'add', path: '/spec/matchConditions/-', value: { name: 'not-me', expression: 'request.userInfo.username != "me"' } },
      { op: 'replace', path: '/spec/matchConstraints/resourceRules/0/operations', value: ['UPDATE'] },
      { op: 'remove', path: '/spec/auditAnnotations' }),
    subject: /^ValidatingAdmissionPolicy /,
    what: /matchConstraints\.resourceRules is .*matchConditions is .*auditAnnotations is not set/
  },
  'a definition that is gone': {
    by: ['delete', 'crd', 'aimruntimeconfigs.aim.silogen.ai'], subject: /aimruntimeconfigs\.aim\.silogen\.ai/, what: /^is missing, so that no such object can be stored$/
  },
  'a definition of another version': {
    by: [
      'patch',
      'crd',
      'aimservices.aim.silogen.ai',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/versions/0/additionalPrinterColumns"}]'
    ],
    subject: /aimservices\.aim\.silogen\.ai/,
    what: /^is another one than this version of the program has: versions is \[/
  },
  'a right that was taken away': {
    by: ['delete', 'clusterrolebinding', 'aim-admission'], subject: /^ServiceAccount aim-system\/aim-admission$/, what: /^may not .*list aimservices\.aim\.silogen\.ai/
  },
  'a caBundle that is empty': {
    by: patched(MUTATING, { op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }), subject: /mutate-aimservices/, what: /^the caBundle is empty, so the API server cannot verify the server$/
  },
  'a caBundle of somebody else': {
    by: patched(MUTATING, { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: STRANGE_CA }), subject: /mutate-aimservices/, what: /^the certificate that is served is not verified by the caBundle: /
  }
}

for (const [name, { by, subject, what }] of Object.entries(BROKEN)) {
  t.test(`${name} is found, and mended by the command that is printed`, async (t) => {
    const broken = await kubectl(by)
    t.equal(broken.code, 0, broken.stderr)
    const { code, findings } = await examine()
    const [problem, ...more] = problemsIn(findings)
    t.strictSame([code, more], [1, []])
    t.match(problem, { subject, what })
    const mended = await runPasted(problem?.kind === 'problem' ? problem.mend : 'false', {
      KUBECONFIG: cluster.kubeconfig,
      HOME: cluster.dir
    })
    t.equal(mended.code, 0, mended.stderr)
    if (name.includes('definition')) await installCrds(cluster) // waits until they are served again
    t.strictSame(problemsIn((await examine()).findings), [])
  })
}

t.test('a webhook of ours that nobody knows is found and taken out', async (t) => {
  const webhook = {
    name: 'stray.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/' },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Ignore',
    matchConditions: [{ name: 'none', expression: 'false' }]
  }
  await kubectl(patched(VALIDATING, { op: 'add', path: '/webhooks/-', value: webhook }))
  const [problem] = problemsIn((await examine()).findings).filter(({ check }) => check === 'registration')
  t.match(problem, { subject: /stray\.example\.com/, what: 'is none of the program\'s webhooks' })
  t.equal(
    (
      await runPasted(problem?.kind === 'problem' ? problem.mend : 'false', {
        KUBECONFIG: cluster.kubeconfig,
        HOME: cluster.dir
      })
    ).code,
    0
  )
  t.strictSame(problemsIn((await examine()).findings), [])
})

t.test('a certificate that ends soon is found', async (t) => {
  const { code, findings } = await examine('--certificate-days', '365')
  t.equal(code, 1)
  t.match(problemsIn(findings), [
    { check: 'certificate', what: /^the certificate that is served ends on .+, in \d+\.\d days$/ }
  ])
})

t.test('a server that cannot be reached from here is no problem, and is said', async (t) => {
  const { code, findings } = await examine('--server', '127.0.0.1:1')
  t.equal(code, 0)
  t.match(
    findings.filter(({ kind }) => kind === 'unknown'),
    [{ check: 'certificate', what: /^cannot be reached from here: / }]
  )
})

t.test('other webhooks on these kinds are noted', async (t) => {
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
  await kubectl(['create', '-f', '-'], JSON.stringify(configuration))
  const { code, findings } = await examine()
  t.equal(code, 0)
  t.match(findings.filter(({ kind }) => kind === 'note'), [{
    subject: 'ValidatingWebhookConfiguration policy, policy.example.com', what: 'is asked about these kinds too, with failurePolicy Ignore'
  }])
})

t.test('what is wrong with the flags is said at once, and nothing is looked at', async (t) => {
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
