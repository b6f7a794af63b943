// `npm run cluster`: a real API server with the product registered in it, until Ctrl-C.
import { once } from 'node:events'
import { startCluster } from '../test/support/cluster/cluster.ts'
import { startProduct } from '../test/support/programs/product.ts'

const cluster = await startCluster()
const product = await startProduct(cluster, ['--with-reconciler'])
process.stdout.write(`The API server answers at ${cluster.url}, aim-admission at ${product.url}. To try in another terminal:

  export KUBECONFIG=${cluster.kubeconfig}
  kubectl apply -f deploy/examples
  kubectl get aimservices --all-namespaces
  kubectl -n ml-team get aimservice -o jsonpath='{.items[0].spec.resolvedRuntimeConfig}'
  kubectl explain aimservice.spec.routing.pathTemplate

Ctrl-C ends both and removes everything.
`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await product.stop()
await cluster.stop()
