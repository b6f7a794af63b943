import { createdAt, parseKey } from '../api/object-meta.ts'
import { PathClaims } from '../cache/path-claims.ts'
import { resolveConfig, type Assessment } from '../core/settings/assess.ts'
import { isSameClaim } from '../core/settings/service-path.ts'
import { storedHash } from '../core/status/staleness.ts'
import type { HeldPath } from '../core/world.ts'
import { ConfigTallies, type Contribution } from './config-tallies.ts'
import { Rollouts } from './rollouts.ts'
import { ChangedServices } from './changed-services.ts'
import { isDegraded, rolledOutConfig, snapshotOf, type ServiceSnapshot } from './service-snapshot.ts'
import { configId, type ReconcileWorld } from './world.ts'

/** What the reconcilers share while this replica is the leader. */
export class RolloutState {
  readonly tallies = new ConfigTallies()
  readonly rollouts = new Rollouts()
  readonly changedServices = new ChangedServices()
  /** Services whose last change no webhook saw. */
  readonly unobserved = new Set<string>()
  /** The paths that services ask for and do not hold: another service is in the way, or was until lately. */
  readonly waitingPaths = new PathClaims()
  readonly #waiting = new Map<string, HeldPath>()
  /** Why admission of a service failed, in one line. */
  readonly admissionErrors = new Map<string, string>()

  /** Updates all that follows from a service; undefined removes it. Returns the configurations whose tally changed. */
  update (service: string, snapshot: ServiceSnapshot | undefined): string[] {
    if (snapshot?.staleness === 'unobserved') this.unobserved.add(service)
    else this.unobserved.delete(service)
    this.#noteWaitingPath(service, snapshot)
    this.changedServices.observe(service, snapshot)
    const config = snapshot && rolledOutConfig(snapshot.assessment)
    if (snapshot === undefined || snapshot.staleness === 'current') {
      this.admissionErrors.delete(service)
      if (config !== undefined) this.rollouts.finished(service, configId(config))
    }
    return this.contribute(service, snapshot === undefined ? undefined : contributionOf(snapshot))
  }

  /** Counts a service before its first work item. A partial one counts as its status says. */
  countFromCache (service: string, world: ReconcileWorld): void {
    const snapshot = snapshotOf(service, world)
    this.contribute(service, snapshot === undefined ? fromStatus(service, world) : contributionOf(snapshot))
  }

  #noteWaitingPath (id: string, snapshot: ServiceSnapshot | undefined): void {
    const before = this.#waiting.get(id)
    if (before !== undefined) this.waitingPaths.remove(before)
    this.#waiting.delete(id)
    const assessment = snapshot?.assessment
    if (assessment?.wanted === undefined || holdsItsPath(assessment)) return
    const claim = { ...assessment.wanted, since: createdAt(assessment.service.object) }
    this.#waiting.set(id, claim)
    this.waitingPaths.add(claim)
  }

  /** The rollout of a configuration does not wait for a service that was deleted or no longer uses it. */
  contribute (service: string, contribution: Contribution | undefined): string[] {
    const changed = this.tallies.update(service, contribution)
    for (const config of changed) if (config !== contribution?.config) this.rollouts.finished(service, config)
    return changed
  }
}

function holdsItsPath ({ held, claim }: Assessment): boolean {
  return held !== undefined && claim !== undefined && isSameClaim(held, claim)
}

/** An outdated service counts as failing if its status says so: whether the new version breaks it is not known yet. */
function contributionOf ({ assessment, staleness, fails, isDegraded }: ServiceSnapshot): Contribution | undefined {
  const config = rolledOutConfig(assessment)
  return config && {
    config: configId(config),
    hash: storedHash(assessment),
    failing: staleness === 'current' ? fails : isDegraded
  }
}

function fromStatus (id: string, world: ReconcileWorld): Contribution | undefined {
  const { services, serviceStatuses } = world
  const stored = services.get(parseKey(id))
  const status = serviceStatuses.get(parseKey(id))?.status
  if (stored === undefined || stored.deleting || status === undefined) return undefined
  const used = resolveConfig({ namespace: stored.namespace, name: stored.configName }, world)
  const config = rolledOutConfig({ config: used })
  if (config === undefined) return undefined
  const { resolvedRuntimeConfig: resolved } = status
  const isOfConfig = resolved?.kind === config.kind && resolved.name === config.name
  return { config: configId(config), hash: (isOfConfig ? resolved.hash : undefined) ?? '', failing: isDegraded(status) }
}
