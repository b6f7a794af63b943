import { assessService, type Assessment } from '../settings/assess.ts'
import type { Fault } from './faults.ts'
import { isJsonObject, ownObject, ownString, sameJson } from '../../platform/json.ts'
import type { World } from '../ports.ts'
import {
  missingBlockFault, missingConfigFault, missingConfigWarning, NO_GATEWAY, serviceFaults
} from './service-faults.ts'
import type { Service } from '../settings/service.ts'

/** What the operator decides about services. */
export interface ServicePolicy {
  /** Whether a service whose configuration is missing is admitted with a warning, or refused. */
  readonly missingConfig: 'warn' | 'refuse'
  /**
   * `refuse`: every service comes past the mutating webhook, so one without a block has been robbed of it by another
   * webhook.
   * `admit`: it may have come while no server answered, and is healed later.
   */
  readonly missingBlock: 'refuse' | 'admit'
}

export interface ServiceJudgement {
  readonly assessment: Assessment
  /** Faults that this request causes: they refuse it. */
  readonly faults: readonly Fault[]
  /** One line each, the most useful first. */
  readonly warnings: readonly string[]
}

/** The service as it is to be stored, and as it was; `old` is undefined on CREATE. */
export interface ServiceChange { readonly service: Service, readonly old: Service | undefined }

/**
 * Judges a service that is created or changed. A fault that an UPDATE does not cause, because nothing it depends on is
 * changed by it, is only a warning: a configuration that changed meanwhile must not be in the way of an unrelated edit.
 * Pure.
 */
export function judgeService ({ service, old }: ServiceChange, world: World, policy: ServicePolicy): ServiceJudgement {
  const assessment = assessService(service, world.configs)
  const before = old === undefined ? undefined : assessService(old, world.configs)
  const found = [
    ...(assessment.config === undefined && policy.missingConfig === 'refuse' ? [missingConfigFault(service)] : []),
    ...serviceFaults(assessment, {
      paths: world.paths, stored: old !== undefined, before: old, holds: before !== undefined && sameJson(before.claim, assessment.claim)
    })
  ]
  const robbed = blockWasRemoved(assessment, { old, world, policy }) ? [missingBlockFault(assessment)] : []
  const isCaused = before === undefined || !sameCauses(before, assessment)
  return {
    assessment,
    faults: [...robbed, ...(isCaused ? found : [])],
    warnings: [
      ...(isCaused
        ? []
        : found.map(({ field, message }) => `not caused by this change, but to be mended: ${field}: ${message}`)),
      ...missingWarnings(assessment, policy),
      ...gatewayWarnings(assessment),
      ...movedWarnings(old, assessment),
      ...shadowWarnings(assessment, world)
    ]
  }
}

/**
 * Whether the block is gone though it could be written. Another replica may have mutated the service before a new
 * configuration reached it, so one that has just come counts as missing; and a block that differs is no proof, since
 * replicas may be of two versions.
 */
function blockWasRemoved ({ service, config }: Assessment, { old, world, policy }: { old: Service | undefined, world: World, policy: ServicePolicy }): boolean {
  return policy.missingBlock === 'refuse' && config !== undefined && service.block === undefined &&
    (old === undefined || old.block !== undefined) && !world.pendingConfigs.isRecent(config)
}

/**
 * Whether all that a fault depends on is the same before and after: the configuration's name, the own routing, and what
 * the template makes of the service.
 */
function sameCauses (before: Assessment, after: Assessment): boolean {
  return before.service.configName === after.service.configName &&
    sameRouting(before.service, after.service) &&
    sameJson(outcome(before), outcome(after))
}

function sameRouting ({ routing: a }: Service, { routing: b }: Service): boolean {
  return a.enabled === b.enabled && a.pathTemplate === b.pathTemplate && sameJson(a.gatewayRef, b.gatewayRef)
}

/** The path, or which expressions are at fault and how; free of what messages say besides. */
function outcome ({ path }: Assessment): unknown {
  if (path.kind !== 'faulty') return path
  return path.problems.map(({ code, expression, position }) => [code, expression, position])
}

function missingWarnings ({ service, config }: Assessment, policy: ServicePolicy): string[] {
  return config !== undefined || policy.missingConfig === 'refuse'
    ? []
    : [missingConfigWarning(service)]
}

function gatewayWarnings ({ routing }: Assessment): string[] {
  return routing.enabled && routing.gatewayRef === undefined
    ? [NO_GATEWAY]
    : []
}

function movedWarnings (old: Service | undefined, { path, block }: Assessment): string[] {
  const live = old === undefined || !isJsonObject(old.block) ? '' : ownString(ownObject(old.block, 'routing'), 'path')
  const next = block?.routing.path
  if (live === '' || live === next || path.kind === 'pending') return []
  return [next === undefined
    ? `the live path ${live} is withdrawn; clients that use it will fail`
    : `the live path moves from ${live} to ${next}; clients of the old path will fail`]
}

function shadowWarnings ({ claim }: Assessment, { paths }: World): string[] {
  if (claim === undefined) return []
  const covered = paths.covered(claim)
  const covering = paths.covering(claim)
  return [
    ...(covered === undefined
      ? []
      : [
          `path ${claim.path} covers ${covered.path} of AIMService ${covered.service.namespace}/${covered.service.name} as a prefix on the same gateway`
        ]),
    ...(covering === undefined
      ? []
      : [
          `path ${claim.path} is covered by ${covering.path} of AIMService ${covering.service.namespace}/${covering.service.name} as a prefix on the same gateway`
        ])
  ]
}
