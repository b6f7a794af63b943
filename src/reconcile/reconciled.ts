import type { Unavailable, WriteResult } from '../core/ports.ts'
import type { Priority, WorkResult } from './work-queue.ts'

/** `status`: services and configurations to reconcile. `rollforward`: services for which admission has to run again. */
export type QueueName = 'status' | 'rollforward'

/** Work that follows from other work. */
export interface Enqueue { readonly queue: QueueName, readonly key: string, readonly priority: Priority }

/** How a work item ended, and what follows from it. */
export interface Reconciled { readonly result: WorkResult, readonly enqueue: readonly Enqueue[] }

export const DONE: WorkResult = { kind: 'done' }

/** How a work item ends after a write that did not succeed. A deleted object needs no work. */
export function afterWrite (result: Exclude<WriteResult, { kind: 'written' }> | Unavailable): WorkResult {
  switch (result.kind) {
    case 'gone': return DONE
    case 'conflict': return { kind: 'retry', reason: 'the object changed since it was read' }
    case 'failed': return { kind: 'retry', reason: result.reason }
    case 'unavailable': return result
  }
}
