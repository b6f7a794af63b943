import t from 'tap'
import type { CheckResult } from '../../../src/cli/commands/doctor/format.ts'

process.env['AIM_ADMISSION_API_GROUP'] = 'aim.example.com' // before any module of the product loads
const { KINDS } = await import('../../../src/api/kinds.ts')
const { GROUP, PREFIX } = await import('../../../src/api/meta.ts')
const { startBeside } = await import('../../support/operator/beside.ts')
const { operatorDefinitions } = await import('../../support/operator/install.ts')
const { testTenServices } = await import('../../support/operator/ten-services.ts')
const { runProgram } = await import('../../support/programs/program.ts')
const { until } = await import('../../support/until.ts')

const beside = await startBeside()
t.teardown(async () => { await beside.stop() })
const { client, kubeconfig } = beside.cluster

t.test('with another API group, each service gets what admission resolved, and both programs rest', async (t) => {
  for (const { plural } of KINDS) {
    const usual = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${PREFIX}`
    if (await client.stored(usual) !== undefined) await client.remove(usual)
  }
  await beside.install(await operatorDefinitions())
  await testTenServices(t, beside, 'ns-0')
  await until(async () => (await beside.metrics()).includes('aim_admission_probe_success 1'))
})

t.test('the commands of a client use the group', async (t) => {
  const { stdout } = await runProgram(['doctor', '--kubeconfig', kubeconfig, '--api-group', GROUP, '-o', 'json'])
  const results = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as CheckResult) // its own output
  const of = (name: string): CheckResult[] => results.filter(({ check }) => check === name)
  t.strictSame(of('definitions').map(({ kind, subject }) => `${kind} ${subject}`), KINDS.map(({ plural }) =>
    `note CustomResourceDefinition ${plural}.${GROUP}`))
  t.strictSame(of('access').map(({ kind }) => kind), ['ok', 'ok', 'ok'])
  const explained = await runProgram([
    'explain', 'by-namespace', '--namespace', 'ns-0', '--kubeconfig', kubeconfig, '--api-group', GROUP
  ])
  t.match(explained.stdout, '/ns-0/nlp/by-namespace', explained.stderr)
})
