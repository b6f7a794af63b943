import { KINDS, type Kind } from '../api/kinds.ts'
import type { Log, ObjectKey, TransitionEvent } from '../core/ports.ts'
import type { OwnStatus, ServiceEvent } from '../core/status/conditions.ts'
import { givenUp, withKept, writable } from '../core/status/ownership.ts'
import type { JsonObject } from '../platform/json.ts'
import { afterWrite, DONE } from './reconciled.ts'
import type { StatusBrake, StatusWriteStep } from './status-brake.ts'
import type { WorkResult } from './work-queue.ts'
import type { Observed, ReconcileWorld } from './world.ts'

export interface StatusWriterDependencies {
  readonly world: ReconcileWorld
  readonly brake: StatusBrake
  readonly log: Log
  /** Called for each part of a status that is given up to another field manager. */
  readonly onGivenUp?: ((manager: string) => void) | undefined
}

/** An object, and the status that it should have. */
export interface StatusTarget<T extends OwnStatus> {
  /** Of the work queue. */
  readonly id: string
  readonly object: ObjectKey & { readonly kind: Kind['kind'] }
  readonly observed: Observed<T>
  readonly wanted: T
  /** Milliseconds to wait before a write of this status. */
  readonly delay?: (status: OwnStatus) => number
  /** Receives the object as stored, and the status that was sent. */
  readonly onWritten: (object: JsonObject, sent: OwnStatus) => void
  readonly eventsOf: (known: OwnStatus, next: OwnStatus) => ServiceEvent[]
}

/**
 * Writes a status if it differs: what the definition has of it, and no part that another field manager owns. Two
 * writers therefore never overwrite each other.
 */
export class StatusWriter {
  readonly #dependencies: StatusWriterDependencies
  /** The parts that are given up, by object. */
  readonly #givenUp = new Map<string, ReadonlyMap<string, string>>()
  readonly #writing = new Set<string>()

  constructor (dependencies: StatusWriterDependencies) { this.#dependencies = dependencies }

  /** Whether a write of the status is in flight. */
  isWriting (id: string): boolean {
    return this.#writing.has(id)
  }

  async write<T extends OwnStatus> (target: StatusTarget<T>): Promise<WorkResult> {
    const { world, brake } = this.#dependencies
    const { id, object, observed, delay = () => 0 } = target
    const served = world.definitions.fieldsOf(object.kind)
    if (!served.has('status')) return DONE
    this.#noteGivenUp(target)
    const wanted = writable(target.wanted, observed.ownership, served)
    const step = brake.next(id, { wanted, observed, now: world.now() })
    if (step.kind !== 'write') return step
    const afterMs = delay(step.status)
    if (afterMs > 0) return { kind: 'again', afterMs }
    return await this.#apply(target, step)
  }

  async #apply<T extends OwnStatus> (target: StatusTarget<T>, step: StatusWriteStep): Promise<WorkResult> {
    const { world, brake, log } = this.#dependencies
    const { id, object: { kind, namespace, name }, observed: { uid, version, status: known, ownership } } = target
    const { conditions, ...fields } = withKept(step.status, ownership)
    this.#writing.add(id)
    const result = await world.writer.applyStatus(
      { kind: KINDS.find((each) => each.kind === kind) ?? KINDS[0], key: { namespace, name }, uid, version },
      { ...fields, ...(conditions.length > 0 && { conditions }) }
    ).finally(() => this.#writing.delete(id))
    if (result.kind === 'conflict') brake.conflicted(id, step)
    if (result.kind === 'failed' && result.invalid === true) {
      brake.refused(id, step)
      log.warn({ kind, namespace, name, reason: result.reason }, 'status does not fit its definition, not retrying')
      return DONE
    }
    if (result.kind !== 'written') return afterWrite(result)
    target.onWritten(result.object, step.status)
    for (const event of target.eventsOf(known, step.status)) this.record({ kind, namespace, name, uid }, event)
    return brake.written(id, step)
  }

  record (regarding: TransitionEvent['regarding'], event: ServiceEvent): void {
    this.#dependencies.world.events.record({ regarding, action: 'Reconcile', ...event })
  }

  forget (id: string): void {
    this.#dependencies.brake.forget(id)
    this.#givenUp.delete(id)
  }

  #noteGivenUp<T extends OwnStatus> ({ id, object, observed, wanted }: StatusTarget<T>): void {
    const { log, onGivenUp } = this.#dependencies
    const before = this.#givenUp.get(id)
    const now = givenUp(wanted, observed.ownership)
    if (now.size > 0) this.#givenUp.set(id, now)
    for (const [part, manager] of now) if (before?.has(part) !== true) onGivenUp?.(manager)
    if (before !== undefined || now.size === 0) return
    const [manager] = now.values()
    log.info({ ...object, parts: [...now.keys()].join(', '), manager }, 'left parts of the status to another writer')
  }
}
