import { createdAt } from '../api/object-meta.ts'
import { PathClaims } from '../cache/path-claims.ts'
import { storedHash } from '../core/status/staleness.ts'
import type { HeldPath } from '../core/world.ts'
import { ConfigTallies, type Contribution } from './config-tallies.ts'
import { Rollouts } from './rollouts.ts'
import { RolloutTrials } from './rollout-trials.ts'
import type { ServiceSnapshot } from './service-snapshot.ts'
import { configId } from './world.ts'

/** What the reconcilers share while this replica is the leader. */
export class RolloutState {
  readonly tallies = new ConfigTallies()
  readonly rollouts = new Rollouts()
  readonly trials = new RolloutTrials()
  /** Services whose last change no webhook saw. */
  readonly unobserved = new Set<string>()
  /** The paths that services ask for while another service is in the way. */
  readonly waitingPaths = new PathClaims()
  readonly #waiting = new Map<string, HeldPath>()
  /** Why admission of a service failed, in one line. */
  readonly admissionErrors = new Map<string, string>()

  /** Counts a service as it is now; undefined removes it. Returns the configurations whose tally changed. */
  count (service: string, snapshot: ServiceSnapshot | undefined): string[] {
    if (snapshot?.staleness === 'unobserved') this.unobserved.add(service)
    else this.unobserved.delete(service)
    this.#noteWaitingPath(service, snapshot)
    this.trials.observe(service, snapshot)
    const config = snapshot?.assessment.config
    if (snapshot === undefined || snapshot.staleness === 'current') {
      this.admissionErrors.delete(service)
      if (config !== undefined) this.rollouts.landed(service, configId(config))
    }
    return this.contribute(service, snapshot === undefined ? undefined : contributionOf(snapshot))
  }

  #noteWaitingPath (id: string, snapshot: ServiceSnapshot | undefined): void {
    const before = this.#waiting.get(id)
    if (before !== undefined) this.waitingPaths.remove(before)
    this.#waiting.delete(id)
    const { path, wanted, service } = snapshot?.assessment ?? {}
    if (path?.kind !== 'conflict' || wanted === undefined || service === undefined) return
    const claim = { ...wanted, since: createdAt(service.object) }
    this.#waiting.set(id, claim)
    this.waitingPaths.add(claim)
  }

  /** The rollout of a configuration does not wait for a service that was deleted or no longer uses it. */
  contribute (service: string, contribution: Contribution | undefined): string[] {
    const changed = this.tallies.update(service, contribution)
    for (const config of changed) if (config !== contribution?.config) this.rollouts.landed(service, config)
    return changed
  }
}

/** An outdated service counts as failing if its status says so: whether the new version breaks it is not known yet. */
function contributionOf ({ assessment, staleness, fails, isDegraded }: ServiceSnapshot): Contribution | undefined {
  if (assessment.config === undefined) return undefined
  return {
    config: configId(assessment.config),
    hash: storedHash(assessment),
    failing: staleness === 'current' ? fails : isDegraded
  }
}
