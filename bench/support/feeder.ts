/** The cluster of a benchmark: a fake API server in a separate process, whose CPU and memory do not count. */
import { FakeApiServer } from '../../test/support/fakes/fake-api-server.ts'
import { aBenchConfig, aBenchService } from './objects.ts'

/** Order to this process, over its IPC channel. Each is answered with `{ kubeconfig }`. */
export type FeederOrder =
  | { readonly kind: 'fill', readonly configs: number, readonly services: number, readonly variables: number }
  | { readonly kind: 'change', readonly at: number, readonly round: number }

const CONFIGS = '/apis/aim.silogen.ai/v1alpha1/aimruntimeconfigs'
const CLUSTER_CONFIGS = '/apis/aim.silogen.ai/v1alpha1/aimclusterruntimeconfigs'
const SERVICES = '/apis/aim.silogen.ai/v1alpha1/aimservices'

const api = new FakeApiServer()
api.streams = true
await api.start()

function fill ({ configs, services, variables }: Extract<FeederOrder, { kind: 'fill' }>): void {
  for (const path of [CONFIGS, CLUSTER_CONFIGS, SERVICES]) api.serve(path)
  for (let at = 0; at < configs; at++) api.put(CONFIGS, `config-${at}`, aBenchConfig(at))
  for (let at = 0; at < services; at++) {
    api.put(SERVICES, `llama-chat-${at}`, aBenchService({ at, configs, variables, withBlock: true }))
  }
}

process.on('message', (order: FeederOrder) => {
  if (order.kind === 'fill') fill(order)
  else api.put(CONFIGS, `config-${order.at}`, aBenchConfig(order.at, order.round))
  process.send?.({ kubeconfig: api.kubeconfig })
})
process.send?.({ kubeconfig: api.kubeconfig })
