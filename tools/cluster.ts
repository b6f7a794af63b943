// `npm run cluster`: runs a real API server with the product registered in it, until Ctrl-C. With `--operator`, the
// definitions are those of a stand-in for an operator that runs models, which runs beside the product. Other flags are
// those of `serve`.
import { once } from 'node:events'
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { httpRouteDefinition, installDefinitions, operatorDefinitions } from '../test/support/operator/install.ts'
import { startOperator } from '../test/support/operator/operator.ts'
import { startProduct } from '../test/support/programs/product.ts'

const cluster = await startOwnCluster()
const besideOperator = process.argv.includes('--operator')
const flags = process.argv.slice(2).filter((flag) => flag !== '--operator')
if (besideOperator) {
  await installDefinitions(cluster, [await httpRouteDefinition(), ...await operatorDefinitions()])
  flags.unshift('--inject', 'record,fields', '--path-segments', 'dns') // as install-beside-operator.yaml
}
const product = await startProduct(cluster, ['--with-reconciler', ...flags])
const operator = besideOperator ? startOperator({ request: cluster.client.request }) : undefined
process.stdout.write(`API server:    ${cluster.url}
aim-admission: ${product.url}

In another terminal:

  export KUBECONFIG=${cluster.kubeconfig}
  kubectl apply -f deploy/examples
  kubectl get aimservices --all-namespaces
  kubectl -n ml-team get aimservice -o jsonpath='{.items[0].spec.resolvedRuntimeConfig}'
  kubectl explain aimservice.spec.routing.pathTemplate
${besideOperator ? '  kubectl get httproutes --all-namespaces -o yaml\n' : ''}
Ctrl-C stops all and removes their data.
`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await operator?.stop()
await product.stop()
await cluster.stop()
