import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { GROUP, BLOCK_ANNOTATION } from '../../../src/api/meta.ts'
import { own, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { manifest } from '../builders/manifests.ts'
import { clusterClient, inNamespace } from '../cluster/cluster-client.ts'
import { startCluster, type AuditEvent } from '../cluster/cluster.ts'
import { objectsIn, renderedChart } from '../cluster/rendered-chart.ts'
import { asServiceAccount } from '../cluster/service-account.ts'
import { startProduct, startReconciler } from '../programs/product.ts'
import type { Ran } from '../processes.ts'
import { until } from '../until.ts'
import { hasBlock, httpRouteDefinition, installDefinitions } from './install.ts'
import { ANSWERS, startOperator } from './operator.ts'

/** How long neither program writes before they count as calm, in milliseconds. */
export const CALM_MS = 2_000
/** Pause before each read of routes, which leaves the processor to the programs, in milliseconds. */
const READ_PAUSE_MS = 50

/**
 * A cluster with the product and the operator, each as a user of its own, at first on the product's definitions. The
 * product has the rights and the flags that the chart gives it beside an operator.
 */
export async function startBeside () {
  Object.assign(process.env, { AIM_ADMISSION_INJECT: 'record,fields', AIM_ADMISSION_PATH_SEGMENTS: 'dns' })
  const leased = await startCluster()
  const cacheDir = path.join(leased.dir, 'kubectl-cache') // of this file alone, because it changes definitions
  const kubectl = async (args: readonly string[], stdin?: string): Promise<Ran> =>
    await leased.kubectl(['--cache-dir', cacheDir, ...args], stdin)
  const cluster = { ...leased, kubectl }
  await installDefinitions(cluster, [await httpRouteDefinition(), ...customResourceDefinitions()])
  const values = { definitions: 'operator', apiGroup: GROUP, namespace: { create: true } }
  const rights = objectsIn(await renderedChart(values)).filter(({ apiVersion, kind }) =>
    kind === 'Namespace' || String(apiVersion).startsWith('rbac.'))
  await cluster.client.apply(...rights.map((object) => JSON.stringify(object)))
  const server = await asServiceAccount(cluster, 'aim-admission')
  const reconciler = await asServiceAccount(cluster, 'aim-admission-reconcile')
  const start = async () => await Promise.all([startProduct(server), startReconciler(reconciler)])
  let programs = await start()
  const operatorClient = clusterClient(await cluster.kubeconfigOf('operator'))
  const operator = startOperator({ request: operatorClient.request })
  const stopProduct = async (signal?: NodeJS.Signals): Promise<void> => {
    await Promise.all(programs.map(async (program) => await program.stop(signal)))
  }
  /** Requests of both programs that write services, since the event with this index. */
  const writesSince = async (event: number): Promise<AuditEvent[]> =>
    (await cluster.audited()).slice(event).filter((request) =>
      WRITES.includes(request.verb) && request.objectRef?.resource === 'aimservices' &&
      !request.requestURI.includes('dryRun') && WRITERS.includes(writerOf(request)))
  return {
    cluster,
    writesSince,
    /** Applies definitions of the three kinds, and waits until admission records where they have a place for it. */
    install: async (definitions: readonly JsonObject[]): Promise<void> => {
      await installDefinitions(cluster, definitions)
      await cluster.client.apply(manifest({ kind: 'AIMClusterRuntimeConfig', name: 'install' }))
      const expected = hasBlock(definitions)
      await until(async () => {
        const service = manifest({ name: 'install', spec: { runtimeConfigName: 'install' } })
        const { object } = await cluster.client.dryRun(inNamespace('default').services, service)
        return 'resolvedRuntimeConfig' in ownObject(object, 'spec') === expected &&
          BLOCK_ANNOTATION in ownObject(ownObject(object, 'metadata'), 'annotations') === !expected
      })
    },
    /** The index of the next event. */
    now: async (): Promise<number> => (await cluster.audited()).length,
    /** Waits until neither program has written a service for a while; programs that contend never get there. */
    calm: async (): Promise<void> => {
      await until(async () => {
        const last = (await writesSince(0)).at(-1)?.stageTimestamp ?? new Date(0).toISOString()
        return Date.now() - Date.parse(last) > CALM_MS
      })
    },
    /** Writes that the API server refused since this event, for what they say. */
    refusedSince: async (event: number): Promise<string[]> => [
      ...(await writesSince(event))
        .filter(({ responseStatus: { code } = { code: 500 } }) => code > 299 && !ANSWERS.includes(code))
        .map((request) => `${writerOf(request)} ${request.requestURI} ${request.responseStatus?.code ?? ''}`),
      ...operator.refused.map(({ path, message }) => `operator ${path} ${message}`)
    ],
    /** Gateway and path of each HTTPRoute in a namespace, by name. */
    routesOf: async (namespace: string): Promise<Record<string, string>> => {
      await delay(READ_PAUSE_MS)
      const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`
      const { items } = await cluster.client.stored<{ items: Route[] }>(path) ?? { items: [] }
      return Object.fromEntries(items.map(({ metadata, spec: { parentRefs: [gateway], rules: [rule] } }) =>
        [metadata.name, `${gateway?.name ?? ''} ${rule.matches[0].path.value}`]))
    },
    /** The metrics of the reconciler. */
    metrics: async (): Promise<string> => await (await fetch(`${programs[1].probeUrl}/metrics`)).text(),
    /** Starts the product again with another `--inject`. */
    restartProduct: async (inject: string): Promise<void> => {
      await stopProduct()
      process.env['AIM_ADMISSION_INJECT'] = inject
      programs = await start()
    },
    stopProduct,
    stop: async (): Promise<void> => {
      await operator.stop()
      await stopProduct('SIGKILL')
      await operatorClient.close()
      await cluster.stop()
    }
  }
}

export const RECONCILER = 'system:serviceaccount:aim-system:aim-admission-reconcile'
const WRITERS = ['operator', RECONCILER]

/** The user of a request. */
export function writerOf ({ impersonatedUser, user }: AuditEvent): string {
  return (impersonatedUser ?? user).username
}

const WRITES = ['create', 'update', 'patch', 'delete']

interface Route {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly parentRefs: ReadonlyArray<{ readonly name: string }>
    readonly rules: readonly [{ readonly matches: readonly [{ readonly path: { readonly value: string } }] }]
  }
}

/** Gateway and path in the record of each service that has a path, by name. */
export function recordedRoutes (services: readonly Recorded[]) {
  return Object.fromEntries(services.flatMap((service) => {
    const routing = ownObject(recordOf(service), 'routing')
    const route = `${ownString(ownObject(routing, 'gatewayRef'), 'name')} ${ownString(routing, 'path')}`
    return Object.hasOwn(routing, 'path') ? [[service.metadata.name, route] as const] : []
  }))
}

/** What admission resolved for a service, in either place; empty if nothing is recorded. */
export function recordOf (service: Recorded): JsonObject {
  const { metadata, spec } = service as unknown as Record<'metadata' | 'spec', JsonObject>
  const text = ownString(ownObject(metadata, 'annotations'), BLOCK_ANNOTATION)
  // as admission writes it
  return (own(spec, 'resolvedRuntimeConfig') ?? JSON.parse(text || '{}')) as JsonObject
}

interface Recorded { readonly metadata: { readonly name: string }, readonly spec: object }
