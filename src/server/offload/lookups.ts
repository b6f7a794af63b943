import type { HeldPath, PathClaim, PathPolicy, Relatives, World } from '../../core/world.ts'
import type { FieldPath } from '../../core/path/field-path.ts'
import type { FieldShape, ObjectKey } from '../../core/ports.ts'
import type { RuntimeConfig } from '../../core/settings/runtime-config.ts'

/** One question of a service's judgement to the world; plain data, as its answer is. */
export type Lookup =
  | { readonly kind: 'namespaced', readonly namespace: string, readonly name: string }
  | { readonly kind: 'cluster', readonly name: string }
  | { readonly kind: 'similar', readonly namespace: string, readonly name: string }
  | { readonly kind: 'isRecent', readonly namespace: string, readonly name: string }
  | { readonly kind: 'has', readonly path: readonly string[] }
  | { readonly kind: 'shapeOf', readonly path: FieldPath }
  | { readonly kind: 'heldBy', readonly namespace: string, readonly name: string }
  | { readonly kind: 'holders', readonly claim: PathClaim }
  | { readonly kind: 'above' | 'below', readonly claim: PathClaim, readonly relatives: Relatives }

export type Answers = ReadonlyArray<readonly [Lookup, unknown]>

export function answerLookup ({ configs, paths, pendingConfigs, served }: World, lookup: Lookup): unknown {
  switch (lookup.kind) {
    case 'namespaced': return configs.namespaced(lookup.namespace, lookup.name)
    case 'cluster': return configs.cluster(lookup.name)
    case 'similar': return configs.similar(lookup)
    case 'isRecent': return isRecent(lookup, { configs, pendingConfigs })
    case 'has': return served.has(...lookup.path)
    case 'shapeOf': return served.shapeOf(lookup.path)
    case 'heldBy': return paths.heldBy(lookup)
    case 'holders': return first(paths.holders(lookup.claim))
    default: return first(paths[lookup.kind](lookup.claim, lookup.relatives))
  }
}

function isRecent ({ namespace, name }: ObjectKey, { configs, pendingConfigs }: RecentWorld): boolean {
  const config = namespace === '' ? configs.cluster(name) : configs.namespaced(namespace, name)
  return config !== undefined && pendingConfigs.isRecent(config)
}

type RecentWorld = Pick<World, 'configs' | 'pendingConfigs'>

/** The rules rarely read more than one claim; a claim can have thousands below it. */
function first (claims: Iterable<HeldPath>): HeldPath[] {
  return Iterator.from(claims).take(MAX_CLAIMS).toArray()
}

const MAX_CLAIMS = 1_000

/** A world of known answers. A lookup without an answer is added to `missing`, and finds nothing. */
export function worldOf (
  answers: Answers, pathPolicy: PathPolicy
): { readonly world: World, readonly missing: readonly Lookup[] } {
  const known = new Map(answers.map(([lookup, answer]) => [JSON.stringify(lookup), answer]))
  const missing: Lookup[] = []
  const look = <T>(lookup: Lookup, nothing: T): T => {
    const key = JSON.stringify(lookup)
    if (!known.has(key)) {
      missing.push(lookup)
      known.set(key, nothing)
    }
    return known.get(key) as T // as `answerLookup` answered
  }
  const world: World = {
    configs: {
      namespaced: (namespace, name) =>
        look<RuntimeConfig | undefined>({ kind: 'namespaced', namespace, name }, undefined),
      cluster: (name) => look<RuntimeConfig | undefined>({ kind: 'cluster', name }, undefined),
      similar: ({ namespace, name }) => look<string | undefined>({ kind: 'similar', namespace, name }, undefined)
    },
    paths: {
      heldBy: ({ namespace, name }) => look<HeldPath | undefined>({ kind: 'heldBy', namespace, name }, undefined),
      holders: (claim) => look<HeldPath[]>({ kind: 'holders', claim }, []),
      above: (claim, relatives) => look<HeldPath[]>({ kind: 'above', claim, relatives }, []),
      below: (claim, relatives) => look<HeldPath[]>({ kind: 'below', claim, relatives }, [])
    },
    pathPolicy,
    pendingConfigs: {
      announce: unavailable,
      isRecent: ({ namespace, name }) => look({ kind: 'isRecent', namespace, name }, false),
      waitForConfig: unavailable
    },
    services: { users: unavailable },
    served: {
      has: (...path) => look({ kind: 'has', path }, true),
      shapeOf: (path) => look<FieldShape>({ kind: 'shapeOf', path }, { kind: 'unknown', names: [] })
    }
  }
  return { world, missing }
}

function unavailable (): never {
  throw new Error('not available in the worker, which judges only services')
}
