import { generationOf, parseKey, versionOf } from '../api/object-meta.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import { assessService, type Assessment } from '../core/settings/assess.ts'
import { configTitle, shortHash } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { storedHash, stalenessOf } from '../core/status/staleness.ts'
import { isJsonObject, ownString, type JsonObject } from '../platform/json.ts'
import { afterWrite, DONE, type Reconciled } from './reconciled.ts'
import type { RolloutState } from './rollout-state.ts'
import { readSnapshot, rolledOutConfig, snapshotOf, type ServiceSnapshot } from './service-snapshot.ts'
import type { WorkResult } from './work-queue.ts'
import { assessmentWorld, configId, type ReconcileWorld } from './world.ts'

interface Context { readonly world: ReconcileWorld, readonly state: RolloutState }

/** In milliseconds: by then every replica has read a changed definition, and admits by it. */
const SETTLE_MS = 5_000

/** Runs admission for one service again, so that its block is what admission would write today. */
export async function rollForward (id: string, context: Context): Promise<Reconciled> {
  const { world, state } = context
  const snapshot = await readSnapshot(id, world)
  if (snapshot !== undefined && 'reason' in snapshot) return { result: snapshot, enqueue: [] }
  if (snapshot === undefined || !needsAdmission(snapshot, state)) return finish(id, state, { result: DONE })
  const settling = SETTLE_MS - world.definitions.sinceChange()
  if (settling > 0) return { result: { kind: 'again', afterMs: settling }, enqueue: [] }
  const result = await world.writer.triggerAdmission(parseKey(id))
  if (result.kind === 'written') return await check(snapshot, result.object, context)
  if (result.kind === 'conflict') return { result: afterWrite(result), enqueue: [] }
  if (result.kind === 'gone') return finish(id, state, { result: DONE })
  const error = `admission failed: ${result.reason}`
  return finish(id, state, { result: result.kind === 'failed' ? { kind: 'retry', reason: error } : result, error })
}

function needsAdmission ({ id, staleness, assessment }: ServiceSnapshot, { rollouts }: RolloutState): boolean {
  const config = rolledOutConfig(assessment)
  if (staleness === 'current') return false
  if (staleness !== 'configChanged' || config === undefined) return true
  return rollouts.isReleased(id, configId(config), config.hash)
}

/**
 * A replica with an outdated cache returns old settings, and a failed webhook may be ignored; both are retried. The
 * whole block counts, because two configurations with equal settings have the same hash.
 */
async function check (snapshot: ServiceSnapshot, object: JsonObject, context: Context): Promise<Reconciled> {
  const { id } = snapshot
  const { world, state } = context
  const admitted = readService(object, parseKey(id).namespace)
  const after = admitted.kind === 'service' ? assessService(admitted, assessmentWorld(world), admitted) : undefined
  if (after !== undefined) {
    recordVersion(snapshot, after, context)
    world.written.service(object)
  }
  if (after !== undefined && await isDropped(snapshot, after, world)) return finish(id, state, { result: DONE })
  const isUnchanged = versionOf(object) === snapshot.observed.version
  if (!isSettled(after, { id, isUnchanged }, context)) {
    const error = `admission returned ${settingsIn(after)}, retrying`
    return finish(id, state, { result: { kind: 'retry', reason: error }, error })
  }
  state.admissionErrors.delete(id)
  // what the service waits for may have changed, and nothing else adds it
  return { result: DONE, enqueue: isUnchanged ? [{ queue: 'status', key: id, priority: 'low' }] : [] }
}

/** No watch event follows an unchanged object: if the cache sees it otherwise, it would trigger again at once. */
function isSettled (
  after: Assessment | undefined, { id, isUnchanged }: { readonly id: string, readonly isUnchanged: boolean },
  { world, state }: Context
): boolean {
  if (after === undefined || stalenessOf(after) !== 'current') return false
  const cached = isUnchanged ? snapshotOf(id, world) : undefined
  return cached === undefined || !needsAdmission(cached, state)
}

/** Whether the definition no longer has the block. A spec that changed without one may be a user's edit instead. */
async function isDropped (
  { assessment: { service, block } }: ServiceSnapshot, after: Assessment, world: ReconcileWorld
): Promise<boolean> {
  const hasChanged = generationOf(after.service.object) > generationOf(service.object)
  const isMissing = after.blockPlace === 'spec' && block !== undefined && after.service.block === undefined
  if (!isMissing || !hasChanged) return false
  await world.definitions.refresh()
  return !assessmentWorld(world).served.has('spec', 'resolvedRuntimeConfig')
}

/** A service has a new version even while its path is pending. */
function recordVersion (snapshot: ServiceSnapshot, after: Assessment, { world, state }: Context): void {
  const { id, assessment, observed: { uid } } = snapshot
  const { service: { object } } = after
  const config = rolledOutConfig(after)
  if (config === undefined || storedHash(after) !== config.hash || storedHash(assessment) === config.hash) return
  const change = { config: configId(config), hash: config.hash, object }
  if (state.changedServices.isHealthy(snapshot)) state.changedServices.add(id, change)
  const regarding = { kind: AIM_SERVICE.kind, ...parseKey(id), uid }
  const note = `now has version ${shortHash(config.hash)} of ${configTitle(config)}`
  world.events.record({ regarding, type: 'Normal', reason: 'RolledForward', action: 'Readmit', note })
}

/** Records or clears the error. If it changed, the status reports it, and the rollout goes past the service. */
function finish (
  id: string, { admissionErrors, tallies }: RolloutState,
  { result, error }: { readonly result: WorkResult, readonly error?: string }
): Reconciled {
  if (admissionErrors.get(id) === error) return { result, enqueue: [] }
  const config = admissionErrors.has(id) || error === undefined ? undefined : tallies.configOf(id)
  if (error === undefined) admissionErrors.delete(id)
  else admissionErrors.set(id, error)
  const keys = config === undefined ? [id] : [id, config]
  return { result, enqueue: keys.map((key) => ({ queue: 'status', key, priority: 'low' })) }
}

/** The settings in a response, in words. */
function settingsIn (assessment: Assessment | undefined): string {
  const block = assessment?.service.block
  if (assessment === undefined || !isJsonObject(block)) return 'no settings'
  if (storedHash(assessment) === assessment.config?.hash) return OTHER_SETTINGS
  const [hash = '', kind, name] = ['hash', 'kind', 'name'].map((field) => ownString(block, field))
  return `settings of version ${shortHash(hash)} of ${kind} ${name} that are not current`
}

const OTHER_SETTINGS = 'other settings of the current version (serve and reconcile need the same flags about paths)'
