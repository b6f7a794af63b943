import t, { type Test } from 'tap'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { readPage } from '../../support/docs/pages.ts'
import { startBeside } from '../../support/operator/beside.ts'
import { operatorDefinitions, withBlock } from '../../support/operator/install.ts'
import { dryRun, tenServices, testTenServices } from '../../support/operator/ten-services.ts'
import { runPasted } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

/** Of the product. */
const OWN_CONDITIONS = ['RuntimeConfigResolved', 'PathResolved', 'Degraded', 'StatusContested']

const beside = await startBeside()
t.teardown(async () => { await beside.stop() })
const { cluster, calm } = beside
const { objects } = observationsOf(cluster)
const theirs = await operatorDefinitions()
const DEFINITIONS = {
  'the product\'s definitions': customResourceDefinitions(),
  'the operator\'s definitions': theirs,
  'the operator\'s definitions with the block': withBlock(theirs)
}

for (const [at, [name, definitions]] of Object.entries(DEFINITIONS).entries()) {
  t.test(`on ${name}, each service gets what admission resolved, and both programs rest`, async (t) => {
    await beside.install(definitions)
    await testTenServices(t, beside, `ns-${at}`)
  })
}

t.test('the documented commands remove everything of the product', async (t) => {
  const { blocks } = await readPage('docs/how-to/beside-an-operator.md')
  const [disable = '', uninstall = '', ...clean] = blocks.filter(({ under }) => under === 'Remove').map(({ text }) => text)
  const paste = async (text: string): Promise<string> => {
    const { code, stdout, stderr } = await runPasted(text, { KUBECONFIG: cluster.kubeconfig, HOME: cluster.dir })
    t.equal(code, 0, `${text}: ${stderr}`)
    return stdout
  }
  const [setEnvironment = '', , list = ''] = disable.split('\n')
  t.match(setEnvironment, / AIM_ADMISSION_INJECT=record$/)
  await beside.restartProduct('record')
  await until(async () => await paste(list) === '')
  await beside.stopProduct()
  await paste(`${uninstall} --wait=false`) // no controller completes the deletion of a namespace
  for (const commands of clean) await paste(commands)
  await calm()
  for (const namespace of ['ns-0', 'ns-1', 'ns-2']) {
    for (const service of await objects('-n', namespace, 'aimsvc')) await isClean(t, service)
  }
  for (const { metadata, status } of await objects('aimrcfg')) t.equal(status, undefined, metadata.name)
})

/** Whether a service is what it would be if the product had never been installed. */
async function isClean (t: Test, { metadata, spec, status }: StoredObject): Promise<void> {
  const { namespace = '', name } = metadata
  const own = tenServices(namespace).map((text) => JSON.parse(text) as StoredObject) // manifests
    .find((service) => service.metadata.name === name)?.spec ?? {}
  const alone = manifest({ namespace, name: 'alone', spec: own })
  const { spec: expected } = await dryRun(cluster, 'POST', alone)
  t.strictSame(spec, { runtimeConfigName: 'default', ...expected }, `${namespace}/${name}`)
  t.notMatch(JSON.stringify(metadata), /aim-admission|aim\.silogen\.ai\/[^v]|finalizers/)
  t.strictSame(status?.conditions?.filter(({ type }) => OWN_CONDITIONS.includes(type)), [])
  t.match(status, { status: /./, observedGeneration: metadata.generation })
}
