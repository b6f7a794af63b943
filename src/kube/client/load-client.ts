import { registerHooks, type ResolveHookSync, type LoadHookSync } from 'node:module'
import type { KubeConfig } from '@kubernetes/client-node'

/**
 * client-node's reader of kubeconfigs and credentials, alone. The module imports everything that was generated from the
 * Kubernetes API, 80 MiB, for the one method that makes a typed client; here it finds the two names that it needs in
 * their place. Where its layout is another one, all of it is loaded.
 */
export async function loadClient (): Promise<{ readonly KubeConfig: new () => KubeConfig }> {
  const hooks = registerHooks({ resolve, load })
  try {
    return await import('@kubernetes/client-node/dist/config.js')
  } finally {
    hooks.deregister()
  }
}

const IMPORTER = '/@kubernetes/client-node/dist/config.js'
const GENERATED = './gen/index.js'
const STAND_IN = '/gen/index.js?without-models'

const resolve: ResolveHookSync = (specifier, context, next) => {
  const { parentURL = '' } = context
  if (specifier !== GENERATED || !parentURL.endsWith(IMPORTER)) return next(specifier, context)
  return { url: new URL(`.${STAND_IN}`, parentURL).href, format: 'module', shortCircuit: true }
}

const load: LoadHookSync = (url, context, next) => {
  if (!url.endsWith(STAND_IN)) return next(url, context)
  return {
    format: 'module',
    shortCircuit: true,
    source:
      "export { createConfiguration } from './configuration.js'\nexport { ServerConfiguration } from './servers.js'\n"
  }
}
