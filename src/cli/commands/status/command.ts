import { isDeepStrictEqual } from 'node:util'
import type { Command } from 'commander'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG } from '../../../api/kinds.ts'
import { generationOf, keyOf } from '../../../api/object-meta.ts'
import type { Log, ObjectSink } from '../../../core/ports.ts'
import { ownConfigStatus } from '../../../core/status/rollout.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { collectionPath, forbiddenReason, listObjects } from '../../../kube/objects/list-objects.ts'
import { Reflector } from '../../../kube/watch/reflector.ts'
import { systemClock, type Clock } from '../../../platform/clock.ts'
import type { JsonObject } from '../../../platform/json.ts'
import { oneLine } from '../../../platform/printable.ts'
import { apiGroupFlag, flag, newCommand } from '../../flags/read-flags.ts'
import { toJsonLines } from '../../output/formats.ts'
import { newLiveView, refuseInput, reportErrors, type Terminal } from '../../output/terminal.ts'
import { clusterFlags, objectNamespaceFlag, withCluster, type ClusterFlags } from '../../user-cluster.ts'
import { isHeld, toLines, toView, type Rollout } from './format.ts'

/** As given. */
interface StatusFlags extends ClusterFlags {
  readonly allNamespaces?: true
  readonly output: 'text' | 'json'
  readonly watch?: true
}

/** `aim-admission status`: how far each configuration is rolled out. */
export function statusCommand (terminal: Terminal): Command {
  return newCommand('status',
    'show how far each configuration is rolled out to its services, as the reconciler recorded it; ' +
    'exit 1 if a rollout cannot continue by itself', [
      objectNamespaceFlag('namespace of the configurations (default: that of the context)'),
      flag('-A, --all-namespaces', 'configurations of all namespaces'),
      flag('-w, --watch', 'show changes until Ctrl-C: a live view on a terminal, else a line for each'),
      flag('-o, --output <format>', 'text, or json with one line per configuration', 'text').choices(['text', 'json']),
      ...clusterFlags('cluster of the configurations (default: that of kubectl)'),
      apiGroupFlag()
    ])
    .argument('[config]', 'name of the configurations; without it, those of the cluster and of the namespace')
    .action(async (name: string | undefined, flags: StatusFlags) => {
      await reportErrors(terminal, async () => { await status(name, flags, terminal) })
    })
}

/** Shows the rollouts of the flags. Exit code 1 if one is held by a fault, 2 if the cluster is unusable. */
async function status (name: string | undefined, flags: StatusFlags, terminal: Terminal): Promise<void> {
  await withCluster(flags, async ({ request, contextNamespace = 'default' }) => {
    const wanted = {
      name: name?.replace(/^.*\//, ''),
      namespace: flags.allNamespaces === true ? '' : flags.namespace || contextNamespace
    }
    const { listed, readable, reasons } = await listRollouts(wanted, request)
    terminal.writeError(reasons.map((reason) => `warning: ${oneLine(reason)}\n`).join(''))
    if (flags.watch === true) {
      const signal = new AbortController().signal // Ctrl-C ends the process
      await watchRollouts(wanted, { ...flags, listed, readable, request, terminal, clock: systemClock, signal })
    } else if (listed.length === 0) throw new Error(noneFound(wanted))
    terminal.write(format(listed, flags, terminal))
    terminal.setExitCode(listed.some(isHeld) ? 1 : 0)
  })
}

/** An empty namespace stands for all. */
interface Wanted { readonly name: string | undefined, readonly namespace: string }

function noneFound ({ name, namespace }: Wanted): string {
  const named = name === undefined ? '' : ` ${name}`
  const place = namespace === '' ? '' : ` in the namespace ${namespace}, or of the cluster`
  return `there is no configuration${named}${place}`
}

type ConfigKind = Rollout['kind']

interface Collection { readonly kind: ConfigKind, readonly path: string }

interface Listed {
  readonly listed: readonly Rollout[]
  readonly readable: readonly Collection[]
  /** Why the others may not be listed. */
  readonly reasons: readonly string[]
}

/** Users may have rights in one namespace only. Throws if they may list nothing. */
async function listRollouts (wanted: Wanted, request: SendRequest): Promise<Listed> {
  const listed: Rollout[] = []
  const readable: Collection[] = []
  const reasons: string[] = []
  for (const kind of [AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG]) {
    const collection = { kind: kind.kind, path: collectionPath(kind, wanted.namespace) }
    try {
      await listObjects(collection.path, request, (object) => {
        if (isWanted(object, wanted)) listed.push(rolloutOf(collection.kind, object))
      })
      readable.push(collection)
    } catch (error) {
      const reason = forbiddenReason(error)
      if (reason === undefined) throw error
      reasons.push(reason)
    }
  }
  if (readable.length === 0) refuseInput(reasons)
  return { listed, readable, reasons }
}

function isWanted (object: JsonObject, { name }: Wanted): boolean {
  return name === undefined || name === keyOf(object).name
}

function rolloutOf (kind: ConfigKind, object: JsonObject): Rollout {
  const { observedGeneration = 0, hash = '', services, conditions } = ownConfigStatus(object)
  const condition = (type: string) => conditions.find((one) => one.type === type)
  const accepted = condition('Accepted')
  const rolledOut = condition('RolledOut')
  const shown = accepted?.status === 'False' ? accepted : rolledOut
  const isObserved = services !== undefined && shown !== undefined && observedGeneration >= generationOf(object)
  return {
    kind,
    ...keyOf(object),
    hash,
    services: services ?? { total: 0, current: 0, failing: 0 },
    ...(isObserved ? { state: shown.reason, message: shown.message } : PENDING)
  }
}

const PENDING = { state: 'Pending', message: 'the reconciler has not recorded this version yet' }

function format (rollouts: readonly Rollout[], { output }: Pick<StatusFlags, 'output'>, terminal: Terminal): string {
  if (output === 'json') return toJsonLines(rollouts)
  return terminal.screen === undefined ? toLines(rollouts) : `${toView(rollouts, terminal.colors).join('\n')}\n`
}

interface Watch extends Pick<StatusFlags, 'output'>, Omit<Listed, 'reasons'> {
  readonly request: SendRequest
  readonly terminal: Terminal
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The time between two pictures of the live view. */
const FRAME_MS = 100

/** Shows the rollouts and each change until the signal aborts: in a view of the terminal, or as further lines. */
export async function watchRollouts (wanted: Wanted, watch: Watch): Promise<void> {
  const { listed, readable, request, terminal, clock, output, signal } = watch
  const known = new Map(listed.map((rollout) => [rolloutKey(rollout), rollout]))
  const live = output === 'text' && terminal.screen !== undefined ? newLiveView(terminal, terminal.screen) : undefined
  const errors = (): string[] => reflectors.flatMap(({ error }) => error ?? [])
  let isScheduled = false
  const draw = (): void => {
    isScheduled = false
    live?.show(toView([...known.values()], terminal.colors, errors()))
  }
  const scheduleDraw = (): void => {
    if (live === undefined || isScheduled) return
    isScheduled = true
    clock.setTimeout(FRAME_MS, draw)
  }
  const warn = (): void => {
    if (live === undefined) terminal.writeError(errors().map((error) => `warning: ${oneLine(error)}\n`).join(''))
    else scheduleDraw()
  }
  const sinkOf = (kind: ConfigKind): ObjectSink => ({
    upsert: (object) => {
      if (!isWanted(object, wanted)) return
      const rollout = rolloutOf(kind, object)
      const isNew = !isDeepStrictEqual(known.get(rolloutKey(rollout)), rollout)
      known.set(rolloutKey(rollout), rollout)
      if (isNew && live === undefined) terminal.write(format([rollout], { output }, terminal))
      scheduleDraw()
    },
    remove: (key) => {
      known.delete(rolloutKey({ kind, ...key }))
      scheduleDraw()
    }
  })
  const log: Log = { info: scheduleDraw, warn, error: warn }
  const observer = { onSynced: scheduleDraw, onRestart: scheduleDraw, onFailedObject: scheduleDraw }
  const reflectors = readable.map(({ kind, path }) =>
    new Reflector({ path, request, sink: sinkOf(kind), observer, log, clock, random: Math.random }))
  if (live === undefined) terminal.write(format(listed, { output }, terminal))
  else draw()
  for (const reflector of reflectors) reflector.start()
  await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
  await Promise.all(reflectors.map(async (reflector) => { await reflector.stop() }))
}

function rolloutKey ({ kind, namespace, name }: Pick<Rollout, 'kind' | 'namespace' | 'name'>): string {
  return `${kind}/${namespace}/${name}`
}
