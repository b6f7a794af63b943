import { setTimeout as delay } from 'node:timers/promises'
import { API_VERSION } from '../../../src/api/meta.ts'
import type { Cluster } from './cluster.ts'
import { until } from '../until.ts'

export interface ObservedCondition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
  readonly lastTransitionTime: string
}

/** A stored object. */
export interface StoredObject {
  readonly metadata: {
    readonly namespace?: string
    readonly name: string
    readonly generation: number
    readonly creationTimestamp: string
    readonly resourceVersion: string
    readonly uid: string
    readonly managedFields?: ReadonlyArray<{
      readonly manager: string, readonly operation: string, readonly subresource?: string, readonly fieldsV1: object
    }>
  }
  readonly spec: {
    readonly runtimeConfigName?: string
    readonly resolvedRuntimeConfig?: {
      readonly hash: string, readonly kind: string, readonly routing: { readonly path?: string }
    }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly hash?: string
    readonly services?: { readonly total: number, readonly current: number, readonly failing: number }
    readonly resolvedRuntimeConfig?: object
    readonly routing?: { readonly path?: string }
    readonly conditions?: readonly ObservedCondition[]
  }
}

export interface ObservedEvent {
  readonly type: string
  readonly reason: string
  readonly note: string
  readonly action: string
  readonly eventTime: string
  readonly reportingController: string
  readonly regarding: { readonly kind: string, readonly name: string }
  readonly series?: { readonly count: number }
}

/** Pause before each read, which leaves the processor to the programs, in milliseconds. */
const READ_PAUSE_MS = 25
/** Timeout of a condition, in milliseconds. */
const REACHED_MS = 60_000

const RESOURCES: Readonly<Record<string, string>> = {
  aimsvc: 'aimservices',
  aimrcfg: 'aimruntimeconfigs',
  aimcrcfg: 'aimclusterruntimeconfigs'
}

/** Reads of objects, events and conditions. */
export function observationsOf ({ client }: Pick<Cluster, 'client'>) {
  const parsed = async <T>(path: string): Promise<T> => {
    await delay(READ_PAUSE_MS)
    const found = await client.stored<T>(path)
    if (found === undefined) throw new Error(`${path} does not exist`)
    return found
  }
  /** `what` as kubectl takes it: `['-n', 'ml-team', 'aimsvc/a']`, `['aimcrcfg/a']`, or a kind alone. */
  const pathOf = (what: readonly string[]): string => {
    const [kind = '', name] = (what.at(-1) ?? '').split('/')
    const namespace = what[0] === '-n' ? `namespaces/${what[1] ?? ''}/` : ''
    return `/apis/${API_VERSION}/${namespace}${RESOURCES[kind] ?? ''}${name === undefined ? '' : `/${name}`}`
  }
  return {
    object: async (...what: string[]): Promise<StoredObject> => await parsed<StoredObject>(pathOf(what)),
    objects: async (...what: string[]): Promise<readonly StoredObject[]> =>
      (await parsed<{ items: StoredObject[] }>(pathOf(what))).items,
    /** The events of an object, oldest first. */
    events: async (namespace: string, name: string): Promise<readonly ObservedEvent[]> => {
      const { items } = await parsed<{ items: ObservedEvent[] }>(
        `/apis/events.k8s.io/v1/namespaces/${namespace}/events`
      )
      return items.filter(({ regarding }) => regarding.name === name).sort((a, b) => a.eventTime < b.eventTime ? -1 : 1)
    },
    /** Waits until a condition has this reason. Returns an empty string, or after a minute the actual condition. */
    reaches: async (what: readonly string[], type: string, reason: string): Promise<string> => {
      let seen: ObservedCondition | undefined
      const isReached = async (): Promise<boolean> => {
        seen = conditionOf(await parsed<StoredObject>(pathOf(what)), type)
        return seen?.reason === reason
      }
      return await until(isReached, undefined, REACHED_MS).then(
        () => '',
        (error: unknown) => `${type} is not ${reason}: ${JSON.stringify(seen)} (${String(error)})`
      )
    }
  }
}

export function conditionOf ({ status }: StoredObject, type: string): ObservedCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}
