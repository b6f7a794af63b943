// `npm run cluster`: runs a real API server with the product registered in it, until Ctrl-C.
import { once } from 'node:events'
import { startOwnCluster } from '../test/support/cluster/cluster.ts'
import { startProduct } from '../test/support/programs/product.ts'

const cluster = await startOwnCluster()
const product = await startProduct(cluster, ['--with-reconciler'])
process.stdout.write(`API server:    ${cluster.url}
aim-admission: ${product.url}

In another terminal:

  export KUBECONFIG=${cluster.kubeconfig}
  kubectl apply -f deploy/examples
  kubectl get aimservices --all-namespaces
  kubectl -n ml-team get aimservice -o jsonpath='{.items[0].spec.resolvedRuntimeConfig}'
  kubectl explain aimservice.spec.routing.pathTemplate

Ctrl-C stops both and removes their data.
`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await product.stop()
await cluster.stop()
