import type { HeldPath, PathClaim, World } from '../../core/world.ts'
import type { RuntimeConfig } from '../../core/settings/runtime-config.ts'

/** What the judgement of a service asks about the world, so that another thread can ask it. */
export type WorldCall =
  | { readonly method: 'namespaced', readonly namespace: string, readonly name: string }
  | { readonly method: 'cluster', readonly name: string }
  | { readonly method: 'hasJustCome', readonly config: RuntimeConfig }
  | { readonly method: 'holders' | 'covered' | 'covering', readonly claim: PathClaim }

/** The answer to a call, which is plain data. */
export function answerOf ({ configs, paths, pendingConfigs }: World, call: WorldCall): unknown {
  switch (call.method) {
    case 'namespaced': return configs.namespaced(call.namespace, call.name)
    case 'cluster': return configs.cluster(call.name)
    case 'hasJustCome': return pendingConfigs.isRecent(call.config)
    default: return paths[call.method](call.claim)
  }
}

/**
 * A world of which each answer is asked for, and the same one given as long as `forget` is not called. Of services only
 * the paths are known to it.
 */
export function remoteWorld (ask: (call: WorldCall) => unknown): { readonly world: World, readonly forget: () => void } {
  const answers = new Map<string, unknown>()
  const answer = (call: WorldCall): unknown => {
    const key = JSON.stringify(call)
    if (!answers.has(key)) answers.set(key, ask(call))
    return answers.get(key)
  }
  // each cast is to what `answerOf` answers to such a call
  const world: World = {
    configs: {
      namespaced: (namespace, name) => answer({ method: 'namespaced', namespace, name }) as RuntimeConfig | undefined,
      cluster: (name) => answer({ method: 'cluster', name }) as RuntimeConfig | undefined
    },
    paths: {
      holders: (claim) => answer({ method: 'holders', claim }) as readonly HeldPath[],
      covered: (claim) => answer({ method: 'covered', claim }) as PathClaim | undefined,
      covering: (claim) => answer({ method: 'covering', claim }) as PathClaim | undefined
    },
    pendingConfigs: {
      announce: () => { throw new Error(ELSEWHERE) },
      isRecent: (config) => answer({ method: 'hasJustCome', config }) as boolean,
      waitForConfig: () => { throw new Error(ELSEWHERE) }
    },
    services: { users: () => { throw new Error(ELSEWHERE) } }
  }
  return { world, forget: () => { answers.clear() } }
}

const ELSEWHERE = 'this is for the thread that holds the world'
