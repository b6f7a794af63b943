import type { FieldPath } from '../../core/path/field-path.ts'
import type { ObjectKey } from '../../core/ports.ts'
import type { HeldPath, PathClaim, PathPolicy, NamespaceScope, World } from '../../core/world.ts'

/** What the judgement of a service asks the world. Arguments and answers are plain data. */
const QUESTIONS = {
  namespaced: ({ configs }: World, namespace: string, name: string) => configs.namespaced(namespace, name),
  cluster: ({ configs }: World, name: string) => configs.cluster(name),
  similar: ({ configs }: World, key: ObjectKey) => configs.similar(key),
  isRecent: ({ configs, pendingConfigs }: World, { namespace, name }: ObjectKey) => {
    const config = namespace === '' ? configs.cluster(name) : configs.namespaced(namespace, name)
    return config !== undefined && pendingConfigs.isRecent(config)
  },
  has: ({ served }: World, ...path: readonly string[]) => served.has(...path),
  shapeOf: ({ served }: World, path: FieldPath) => served.shapeOf(path),
  heldBy: ({ paths }: World, service: ObjectKey) => paths.heldBy(service),
  holders: ({ paths }: World, claim: PathClaim) => first(paths.holders(claim)),
  above: ({ paths }: World, claim: PathClaim, scope: NamespaceScope) => first(paths.above(claim, scope)),
  below: ({ paths }: World, claim: PathClaim, scope: NamespaceScope) => first(paths.below(claim, scope))
}

type Questions = typeof QUESTIONS
type Asked<Q extends keyof Questions> = Questions[Q] extends (world: World, ...args: infer A) => unknown ? A : never

/** One question: its name and arguments. */
export type Lookup = readonly [question: keyof Questions, ...args: readonly unknown[]]

export type Answers = ReadonlyArray<readonly [Lookup, unknown]>

export function answerLookup (world: World, [question, ...args]: Lookup): unknown {
  return (QUESTIONS[question] as (world: World, ...args: readonly unknown[]) => unknown)(world, ...args) // of `worldOf`
}

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
  const ask = <Q extends keyof Questions>(question: Q, nothing: ReturnType<Questions[Q]>) =>
    (...args: Asked<Q>): ReturnType<Questions[Q]> => {
      const lookup: Lookup = [question, ...args]
      const key = JSON.stringify(lookup)
      if (!known.has(key)) {
        missing.push(lookup)
        known.set(key, nothing)
      }
      return known.get(key) as ReturnType<Questions[Q]> // as `answerLookup` answered
    }
  const [similar, isRecent, heldBy] = [ask('similar', undefined), ask('isRecent', false), ask('heldBy', undefined)]
  const world: World = {
    configs: {
      namespaced: ask('namespaced', undefined),
      cluster: ask('cluster', undefined),
      similar: ({ namespace, name }) => similar({ namespace, name })
    },
    paths: {
      heldBy: ({ namespace, name }) => heldBy({ namespace, name }),
      holders: ask('holders', []),
      above: ask('above', []),
      below: ask('below', [])
    },
    pathPolicy,
    pendingConfigs: {
      announce: unavailable,
      isRecent: ({ namespace, name }) => isRecent({ namespace, name }),
      waitForConfig: unavailable
    },
    services: { users: unavailable },
    served: { has: ask('has', true), shapeOf: ask('shapeOf', { kind: 'unknown', names: [] }) }
  }
  return { world, missing }
}

function unavailable (): never {
  throw new Error('not available in the worker, which judges only services')
}
