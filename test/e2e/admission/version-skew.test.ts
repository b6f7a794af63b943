import t from 'tap'
import { minorVersion, startCluster, startOwnCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BLOCK, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { OLDEST_MINOR } from '../../../src/cli/commands/doctor/check-surroundings.ts'
import { startProduct } from '../../support/programs/product.ts'
import { renderedChart } from '../../support/cluster/rendered-chart.ts'

const own = await startCluster()
const minor = await minorVersion(own.client)
await own.stop()

/**
 * Supported minor versions that the API server of the tests is asked to pass for, with their interfaces and features.
 * None passes for a later version than its own.
 */
const OLDER = [minor - 1, minor - 2].filter((older) => older >= OLDEST_MINOR).map((older) => `1.${older}`)

t.test('the API server passes for older versions', {
  skip: OLDER.length === 0 && `an API server of 1.${minor} passes for no older version that is supported`
}, async (t) => { t.ok(OLDER.length > 0) })

for (const version of OLDER) {
  t.test(`an API server that passes for ${version} installs the same, and admits and refuses the same`, async (t) => {
    const cluster = await startOwnCluster({ apiServerFlags: [`--emulated-version=${version}`] })
    const product = await startProduct(cluster)
    t.teardown(async () => {
      await product.stop()
      await cluster.stop()
    })
    const { kubectl } = cluster
    const { apply, get, aNamespace } = actionsOf(cluster)
    const namespace = await aNamespace('aim-system')
    t.match(JSON.parse((await kubectl(['get', '--raw', '/version'])).stdout), {
      emulationMajor: '1',
      emulationMinor: version.split('.')[1]
    })
    const installed = await kubectl(
      ['apply', '--validate=strict', '--dry-run=server', '-f', '-'],
      await renderedChart({}, namespace)
    )
    t.equal(installed.code, 0, installed.stderr)
    const work = await aNamespace('work')
    const sound = await apply(
      manifest({ kind: 'AIMRuntimeConfig', namespace: work, name: 'default', spec: routed() }),
      manifest({ namespace: work, name: 'a' })
    )
    t.equal(sound.code, 0, sound.stderr)
    t.strictSame([await get(work, 'a', `${BLOCK}.kind`), await get(work, 'a', PATH)], ['AIMRuntimeConfig', '/work/a'])
    t.match(
      (await apply(manifest({ namespace: work, name: 'b', spec: routed('/{') }))).stderr,
      /is invalid: spec\.routing\.pathTemplate: /
    )
  })
}
