import { registerHooks } from 'node:module'
import t from 'tap'
import { loadClient } from '../../../src/kube/client/kube-config.ts'

t.test('the kubeconfig reader loads no generated models and no typed APIs', async (t) => {
  const loaded: string[] = []
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url)
      return next(url, context)
    }
  })
  t.teardown(() => { hooks.deregister() })
  const { KubeConfig } = await loadClient()
  t.ok(loaded.some((url) => url.endsWith('/@kubernetes/client-node/dist/config.js')))
  t.strictSame(loaded.filter((url) => /client-node\/dist\/gen\/(?:models|apis|types)\//.test(url)), [])
  const config = new KubeConfig()
  config.loadFromOptions({
    clusters: [{ name: 'c', server: 'https://127.0.0.1:6443' }],
    users: [{ name: 'u', token: 'secret' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x'
  })
  const headers = new Map<string, string>()
  const request = {
    setHeaderParam: (name: string, value: string) => { headers.set(name, value) },
    setAgent: () => {},
    setDispatcher: () => {}
  }
  await config.applySecurityAuthentication(request as never) // the part of a RequestContext that it calls
  t.equal(headers.get('Authorization'), 'Bearer secret')
})
