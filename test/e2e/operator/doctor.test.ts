import t from 'tap'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { doctorCommand } from '../../../src/cli/commands/doctor/command.ts'
import type { CheckResult } from '../../../src/cli/commands/doctor/format.ts'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { installDefinitions, operatorDefinitions, withBlock } from '../../support/operator/install.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
t.teardown(async () => { await cluster.stop() })
const theirs = await operatorDefinitions()
const ours = customResourceDefinitions()

/** What the doctor says about the definitions. */
async function definitions (): Promise<CheckResult[]> {
  let written = ''
  const { webhooks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  const output = { write: (text: string) => { written += text }, setExitCode: () => {} }
  await doctorCommand({ webhooks, ...output })
    .parseAsync(['--kubeconfig', cluster.kubeconfig, '-o', 'json'], { from: 'user' })
  const results = written.trimEnd().split('\n').map((line) => JSON.parse(line) as CheckResult) // its own output
  return results.filter(({ check }) => check === 'definitions')
}

const CRD_FIX = /manifests crds \| kubectl apply/
const nameOf = (definition: object): string => (definition as { metadata: { name: string } }).metadata.name

t.test('an operator\'s definitions are no problem, and each note says what follows', async (t) => {
  await installDefinitions(cluster, theirs)
  const found = await definitions()
  t.strictSame(found.map(({ kind }) => kind), ['note', 'note', 'note'])
  t.match(found, [
    { what: /^is an operator's, without the status of this program: events and metrics show rollouts$/ },
    { what: /^is an operator's, without the status of this program/ },
    { what: /^is an operator's, without the field spec\.resolvedRuntimeConfig: .* in annotation aim\.silogen\.ai\/resolved-/ }
  ])
  t.ok(found.every((result) => !('fix' in result)))
})

t.test('with the block added, results are recorded there', async (t) => {
  await installDefinitions(cluster, withBlock(theirs))
  t.match((await definitions()).at(-1), { kind: 'note', what: /is an operator's, with the field spec\.resolvedRuntime/ })
})

t.test('definitions of both programs are reported as such, whichever side was applied last', async (t) => {
  await installDefinitions(cluster, ours.slice(0, 2), 'kubectl')
  const mixed = (await definitions()).at(-1)
  t.match(mixed, {
    kind: 'note', what: /^are of two programs \(aimruntimeconfigs, aimclusterruntimeconfigs: this one; aimservices: an operator\)/
  })
  await installDefinitions(cluster, ours, 'kubectl')
  t.strictSame((await definitions()).map(({ kind }) => kind), ['ok', 'ok', 'ok'])
  await installDefinitions(cluster, theirs.slice(2))
  t.match((await definitions()).at(-1), { what: /^are of two programs/ })
})

t.test('no command would replace an operator\'s definition, whatever is wrong with the others', async (t) => {
  const changed = JSON.parse(JSON.stringify(ours[0]).replace('"description":"Whether', '"description":"If')) as JsonObject
  await installDefinitions(cluster, [changed, ...theirs.slice(2)])
  await cluster.client.remove(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${nameOf(ours[1] ?? {})}`)
  await until(async () => (await definitions())[1]?.what.startsWith('is missing') === true)
  const found = await definitions()
  t.match(found.slice(0, 2), [{ kind: 'problem', what: /^differs/ }, { kind: 'problem', what: /^is missing/ }])
  t.ok(found.every((result) => !('fix' in result)))
  await installDefinitions(cluster, ours.slice(2), 'kubectl')
  t.match((await definitions()).slice(0, 2), [{ kind: 'problem', fix: CRD_FIX }, { kind: 'problem', fix: CRD_FIX }])
})
