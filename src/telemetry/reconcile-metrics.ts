import { Gauge, type Registry } from 'prom-client'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'

/** One configuration and its services, counted. */
export interface CountedConfig {
  readonly kind: RuntimeConfigKind
  readonly namespace: string
  readonly name: string
  readonly services: { readonly total: number, readonly current: number, readonly failing: number }
}

/** What the metrics read whenever they are asked for. */
export interface MeasuredReconciler {
  /** Name of the election. */
  readonly election: string
  readonly leads: () => boolean
  readonly missed: () => number
  readonly configs: () => Iterable<CountedConfig>
}

/** The metrics of the reconciler beside its queues'. */
export function reconcileMetrics (registry: Registry, read: MeasuredReconciler): void {
  const registers = [registry]
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this replica leads.',
    labelNames: ['name'],
    registers,
    collect: () => { leader.set({ name: read.election }, read.leads() ? 1 : 0) }
  })
  const missed = new Gauge({
    name: 'aim_admission_missed_objects',
    help: 'Services whose last change no webhook saw, and that are not put right yet.',
    registers,
    collect: () => { missed.set(read.missed()) }
  })
  const services = new Gauge({
    name: 'aim_config_services',
    help: 'Services that use a configuration: all (total), with its present version (current), degraded (failing).',
    labelNames: ['kind', 'namespace', 'name', 'state'],
    registers,
    collect: () => {
      services.reset()
      for (const { services: counts, ...config } of read.configs()) {
        for (const [state, count] of Object.entries(counts)) services.set({ ...config, state }, count)
      }
    }
  })
}
