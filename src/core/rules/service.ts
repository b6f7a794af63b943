import { BUILTIN_KIND } from '../../api/kinds.ts'
import { keyText } from '../../api/object-meta.ts'
import { fitsText, own, ownObject, sameJson, type JsonObject } from '../../platform/json.ts'
import { slashWarnings } from '../path/template.ts'
import { assessService, type Assessment } from '../settings/assess.ts'
import { keptObject, MAX_KEPT_BYTES, type Service } from '../settings/service.ts'
import { pathInBlock } from '../settings/service-path.ts'
import type { NamespaceScope, PathClaim, World } from '../world.ts'
import type { Fault } from '../faults.ts'
import {
  missingBlockFault, missingConfigFault, missingConfigWarning, NO_GATEWAY, serviceFaults
} from './service-faults.ts'

/** The operator's choices about services, with the values of each. */
export const SERVICE_POLICIES = {
  /** What happens to a service whose configuration is missing: admitted with a warning, or refused. */
  missingConfig: ['warn', 'refuse'],
  /**
   * What happens to a service that reaches the validating webhook without a block. `refuse`: another webhook removed
   * it. `admit`: under failure policy Ignore, no mutating webhook may have run. The reconciler adds the block later.
   */
  missingBlock: ['refuse', 'admit']
} as const

export type ServicePolicy = { readonly [K in keyof typeof SERVICE_POLICIES]: typeof SERVICE_POLICIES[K][number] }

export interface ServiceJudgement {
  readonly assessment: Assessment
  /** The faults that this request causes; any refuses it. */
  readonly faults: readonly Fault[]
  /** One line each, the most useful first. */
  readonly warnings: readonly string[]
}

/** The new service, and the stored one; `old` is undefined on CREATE. */
interface ServiceChange { readonly service: Service, readonly old: Service | undefined }

/**
 * Judges a service that is created or changed. An UPDATE that touches nothing a fault depends on does not cause it:
 * the fault is then a warning, so that a changed configuration never blocks an unrelated edit. Pure.
 */
export function judgeService ({ service, old }: ServiceChange, world: World, policy: ServicePolicy): ServiceJudgement {
  const assessment = assessService(service, world, old)
  const before = old && assessService(old, world, old)
  const { conflictDetails } = world.pathPolicy
  const isRefused = assessment.config === undefined && policy.missingConfig === 'refuse'
  const found = [
    ...(isRefused ? [missingConfigFault(service, world.configs)] : []),
    ...serviceFaults(assessment, { stored: old !== undefined, before: old, conflictDetails, served: world.served })
  ]
  const removed = blockWasRemoved(assessment, { old, world, policy }) ? [missingBlockFault(assessment)] : []
  const isCaused = before === undefined || !haveSameCauses(before, assessment)
  return {
    assessment,
    faults: isCaused ? [...removed, ...found] : removed,
    warnings: [
      ...(isCaused ? [] : found).map(({ field, message }) =>
        `existing problem, not caused by this change: ${field}: ${message}`),
      ...stateWarnings(assessment, world, policy),
      ...movedWarnings(old, assessment),
      ...overlapWarnings(assessment, world),
      ...overrideWarnings(old, service),
      ...secretWarnings(assessment, world),
      ...sizeWarnings(service)
    ]
  }
}

/**
 * Whether another webhook removed the block. A recent configuration does not count: another replica may have mutated
 * the service before it arrived, or with another `--missing-default`. A block that differs is no proof, because
 * replicas may run two versions.
 */
function blockWasRemoved (
  { service, config }: Assessment,
  { old, world, policy }: { old: Service | undefined, world: World, policy: ServicePolicy }
): boolean {
  return policy.missingBlock === 'refuse' && config !== undefined && config.kind !== BUILTIN_KIND &&
    service.block === undefined &&
    (old === undefined || old.block !== undefined) &&
    !world.pendingConfigs.isRecent(config)
}

/** Whether everything that faults depend on is unchanged: configuration name, own routing, and rendered template. */
function haveSameCauses (before: Assessment, after: Assessment): boolean {
  const [a, b] = [before.service, after.service]
  return a.configName === b.configName && a.routing.enabled === b.routing.enabled &&
    a.routing.pathTemplate === b.routing.pathTemplate &&
    sameJson(a.routing.gatewayRef, b.routing.gatewayRef) &&
    sameJson(pathCauses(before), pathCauses(after))
}

/** The path that the service asks for, or the problems of its template without their texts. */
function pathCauses ({ path }: Assessment): unknown {
  if (path.kind === 'path' || path.kind === 'conflict') return path.path
  if (path.kind !== 'invalid') return path
  return path.problems.map(({ code, expression, position }) => [code, expression, position])
}

function stateWarnings ({ service, config, routing }: Assessment, { configs }: World, policy: ServicePolicy): string[] {
  return [
    ...(config === undefined && policy.missingConfig === 'warn' ? [missingConfigWarning(service, configs)] : []),
    ...(routing.templateFrom === 'service' ? slashWarnings(routing.template.source) : []),
    ...(routing.enabled && routing.gatewayRef === undefined ? [NO_GATEWAY] : [])
  ]
}

/** `kubectl apply` would remove what admission adds to an own list, so the list is not completed. */
function secretWarnings ({ service, block }: Assessment, { pathPolicy }: World): string[] {
  if (pathPolicy.inject === 'record' || service.imagePullSecrets.length === 0) return []
  const own = new Set(service.imagePullSecrets)
  const missing = (block?.imagePullSecrets ?? []).flatMap(({ name = '' }) => own.has(name) ? [] : [name])
  if (missing.length === 0) return []
  return ['spec.imagePullSecrets is your own list, which is not completed; to use all secrets, ' +
    `add ${missing.join(', ')}, or remove the list`]
}

function sizeWarnings ({ object }: Service): string[] {
  if (fitsText(keptObject(object), MAX_KEPT_BYTES)) return []
  return [`this service has more than ${MAX_KEPT_BYTES / 1024} KiB, so previews of configuration changes leave it out`]
}

function movedWarnings (old: Service | undefined, { path, block, claim }: Assessment): string[] {
  const live = pathInBlock(old?.block)
  const next = block === undefined ? claim?.path : block.routing.path
  if (live === '' || live === next || path.kind === 'pending') return []
  return [next === undefined
    ? `the live path ${live} is withdrawn; clients that use it will fail`
    : `the live path moves from ${live} to ${next}; clients of the old path will fail`]
}

/** An operator may keep the overrides that a service was created with; a change is not refused here. */
function overrideWarnings (old: Service | undefined, service: Service): string[] {
  if (old === undefined) return []
  const overridesOf = ({ object }: Service): JsonObject => ownObject(ownObject(object, 'spec'), 'overrides')
  const [before, after] = [overridesOf(old), overridesOf(service)]
  const changed = ['metric', 'precision', 'gpuSelector'].filter((key) => !sameJson(own(before, key), own(after, key)))
  return changed.map((key) => `spec.overrides.${key} changes; an operator may keep the value that it started with, ` +
    'so create a new service to be sure')
}

/** Overlaps that are not refused: within the namespace, and with other namespaces if the operator chose so. */
function overlapWarnings ({ claim }: Assessment, { paths, pathPolicy }: World): string[] {
  if (claim === undefined) return []
  const scopes: NamespaceScope[] =
    pathPolicy.crossNamespaceOverlap === 'warn' ? ['same namespace', 'other namespaces'] : ['same namespace']
  return scopes.flatMap((each) => {
    const [[below], [above]] = [paths.below(claim, each), paths.above(claim, each)]
    const isHidden = each === 'other namespaces' && pathPolicy.conflictDetails === 'hidden'
    const text = ({ path, service }: PathClaim): string =>
      isHidden ? 'a path of another namespace' : `${path} of AIMService ${keyText(service)}`
    return [
      ...(below ? [`path ${claim.path} covers ${text(below)} as a prefix on the same gateway`] : []),
      ...(above ? [`path ${claim.path} is covered by ${text(above)} as a prefix on the same gateway`] : [])
    ]
  })
}
