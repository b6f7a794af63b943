import t from 'tap'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { AdmittedServices } from '../../../src/offline/admitted-services.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const routed = (pathTemplate: string): JsonObject =>
  aConfig({ routing: { enabled: true, gatewayRef: { name: 'gateway' }, pathTemplate } })
const claimOf = (path: string) => ({
  service: { namespace: 'ml-team', name: 'another' },
  gateway: { namespace: 'ml-team', name: 'gateway' },
  path
})

function setUp () {
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' })
  return { services: engine.services, config: engine.sinks.AIMRuntimeConfig, service: new AdmittedServices(engine) }
}

t.test('a service of a folder holds the path that admission would have set', async (t) => {
  const { services, config, service } = setUp()
  config.upsert(routed('/a/{.metadata.name}'))
  service.upsert(aService())
  t.match(
    [...services.paths.holders(claimOf('/a/llama-chat'))],
    [{ service: { namespace: 'ml-team', name: 'llama-chat' } }]
  )
})

t.test('the path of a service follows its configuration', async (t) => {
  const { services, config, service } = setUp()
  config.upsert(routed('/a/{.metadata.name}'))
  service.upsert(aService())
  config.upsert(routed('/b/{.metadata.name}'))
  await Promise.resolve()
  t.strictSame([...services.paths.holders(claimOf('/a/llama-chat'))], [])
  t.equal([...services.paths.holders(claimOf('/b/llama-chat'))].length, 1)
  config.remove({ namespace: 'ml-team', name: 'default' })
  await Promise.resolve()
  t.strictSame([...services.paths.holders(claimOf('/b/llama-chat'))], [])
})

t.test('a removed service holds no path after its configuration changes', async (t) => {
  const { services, config, service } = setUp()
  config.upsert(routed('/a/{.metadata.name}'))
  service.upsert(aService())
  service.remove({ namespace: 'ml-team', name: 'llama-chat' })
  config.upsert(routed('/b/{.metadata.name}'))
  await Promise.resolve()
  t.strictSame([services.count(), [...services.paths.holders(claimOf('/b/llama-chat'))]], [0, []])
})

t.test('ignores a block that a manifest contains', async (t) => {
  const { services, service } = setUp()
  service.upsert(
    aService({ spec: { resolvedRuntimeConfig: { routing: { path: '/mine', gatewayRef: { name: 'gateway' } } } } })
  )
  t.strictSame([...services.paths.holders(claimOf('/mine'))], [])
})

t.test('two services of a folder that want one path: the first keeps it', async (t) => {
  const { services, config, service } = setUp()
  config.upsert(routed('/same'))
  service.upsert(aService({ name: 'first' }))
  service.upsert(aService({ name: 'second' }))
  t.strictSame([...services.paths.holders(claimOf('/same'))].map((held) => held.service.name), ['first'])
})
