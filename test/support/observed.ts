import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { connectToCluster } from '../../src/kube/api-connection.ts'
import type { Cluster } from './cluster.ts'
import { silentLog } from './silent-log.ts'

export interface ObservedCondition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
  readonly lastTransitionTime: string
}

/** An object as it is stored, as far as tests read it. */
export interface StoredObject {
  readonly metadata: {
    readonly namespace?: string
    readonly name: string
    readonly generation: number
    readonly creationTimestamp: string
    readonly resourceVersion: string
    readonly uid: string
    readonly managedFields?: ReadonlyArray<{ readonly manager: string, readonly operation: string, readonly subresource?: string, readonly fieldsV1: object }>
  }
  readonly spec: {
    readonly runtimeConfigName?: string
    readonly resolvedRuntimeConfig?: { readonly hash: string, readonly kind: string, readonly routing: { readonly path?: string } }
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

/** Between two looks, so that waiting for something does not slow it down. */
const LOOK_GAP_MS = 25

const RESOURCES: Readonly<Record<string, string>> = { aimsvc: 'aimservices', aimrcfg: 'aimruntimeconfigs', aimcrcfg: 'aimclusterruntimeconfigs' }

/** What the tests look at again and again: through one connection, since a kubectl for each look would keep the machine busy. Closed with the test. */
export async function observationsOf ({ kubeconfig, kubectl }: Pick<Cluster, 'kubeconfig' | 'kubectl'>) {
  const connection = await connectToCluster({ kubeconfig, log: silentLog })
  t.teardown(async () => { await connection.close() })
  const parsed = async <T>(path: string): Promise<T> => {
    await delay(LOOK_GAP_MS)
    const { statusCode, body } = await connection.request(path)
    const answer = await body.text()
    if (statusCode !== 200) throw new Error(`${path}: ${answer}`)
    return JSON.parse(answer) as T // as the API server has it stored
  }
  /** `what` as kubectl takes it: `['-n', 'ml-team', 'aimsvc/a']`, `['aimcrcfg/a']`, or a kind alone. */
  const pathOf = (what: readonly string[]): string => {
    const [kind = '', name] = (what.at(-1) ?? '').split('/')
    const namespace = what[0] === '-n' ? `namespaces/${what[1] ?? ''}/` : ''
    return `/apis/aim.silogen.ai/v1alpha1/${namespace}${RESOURCES[kind] ?? ''}${name === undefined ? '' : `/${name}`}`
  }
  return {
    object: async (...what: string[]): Promise<StoredObject> => await parsed<StoredObject>(pathOf(what)),
    objects: async (...what: string[]): Promise<readonly StoredObject[]> => (await parsed<{ items: StoredObject[] }>(pathOf(what))).items,
    /** Of an object, the oldest first. */
    events: async (namespace: string, name: string): Promise<readonly ObservedEvent[]> => {
      const { items } = await parsed<{ items: ObservedEvent[] }>(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
      return items.filter(({ regarding }) => regarding.name === name).sort((a, b) => a.eventTime < b.eventTime ? -1 : 1)
    },
    /** Waits until a condition has this reason; kubectl's complaint where it has not within a minute, and nothing where it has. */
    reaches: async (what: readonly string[], type: string, reason: string): Promise<string> => {
      const { code, stderr } = await kubectl(['wait', ...what, `--for=jsonpath={.status.conditions[?(@.type=="${type}")].reason}=${reason}`, '--timeout=60s'])
      return code === 0 ? '' : `${type} is not ${reason}: ${stderr}`
    }
  }
}

export function conditionOf ({ status }: StoredObject, type: string): ObservedCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}
