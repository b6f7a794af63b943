// tap loads its instrumentation into every child process of a test, which takes 0.1 s of CPU each.
// Children are not measured, so this removes it.
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()
process.env['NODE_OPTIONS'] = ''
// tap reads the source map of every dependency; our sources need none
process.setSourceMapsEnabled(false)
// the contexts of the developer's kubeconfig have no effect
process.env['KUBECONFIG'] = '/nonexistent/kubeconfig'
