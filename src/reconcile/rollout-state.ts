import { storedHash } from '../core/status/staleness.ts'
import { ConfigTallies, type Contribution } from './config-tallies.ts'
import { Rollouts } from './rollouts.ts'
import type { ServiceSnapshot } from './service-snapshot.ts'
import { configId } from './world.ts'

/** What the reconcilers share while this replica is the leader. */
export class RolloutState {
  readonly tallies = new ConfigTallies()
  readonly rollouts = new Rollouts()
  /** Services whose last change no webhook saw. */
  readonly unobserved = new Set<string>()
  /** Why admission of a service failed, in one line. */
  readonly admissionErrors = new Map<string, string>()

  /** Counts a service as it is now; undefined removes it. Returns the configurations whose tally changed. */
  count (service: string, snapshot: ServiceSnapshot | undefined): string[] {
    if (snapshot?.staleness === 'unobserved') this.unobserved.add(service)
    else this.unobserved.delete(service)
    const config = snapshot?.assessment.config
    if (snapshot === undefined || snapshot.staleness === 'current') {
      this.admissionErrors.delete(service)
      if (config !== undefined) this.rollouts.landed(service, configId(config))
    }
    return this.contribute(service, snapshot === undefined ? undefined : contributionOf(snapshot))
  }

  /** The rollout of a configuration does not wait for a service that was deleted or no longer uses it. */
  contribute (service: string, contribution: Contribution | undefined): string[] {
    const changed = this.tallies.update(service, contribution)
    for (const config of changed) if (config !== contribution?.config) this.rollouts.landed(service, config)
    return changed
  }
}

/** An outdated service counts as failing if its status says so: whether the new version breaks it is not known yet. */
function contributionOf ({ assessment, staleness, fails, degradedSince }: ServiceSnapshot): Contribution | undefined {
  if (assessment.config === undefined) return undefined
  return {
    config: configId(assessment.config),
    hash: storedHash(assessment),
    failing: staleness === 'current' ? fails : degradedSince !== undefined,
    failingSince: degradedSince ?? ''
  }
}
