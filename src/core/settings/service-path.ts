import { createdAt, keyText } from '../../api/object-meta.ts'
import type { ParentReference } from '../../api/runtime-config.ts'
import { isJsonObject, ownObject, ownString, sameJson } from '../../platform/json.ts'
import type { SegmentForm } from '../path/segment.ts'
import { compilePathTemplate, renderPath, type RenderedPath, type TemplateCompilation } from '../path/template.ts'
import type { HeldPath, PathClaim, World } from '../world.ts'
import { DEFAULT_PATH_TEMPLATE, PRECEDENCE, settle, type SettingSource } from './precedence.ts'
import { orMalformed, parentReferenceAt } from './read-fields.ts'
import type { UsedConfig } from './runtime-config.ts'
import { renderedObject, type Service, type ServiceFields } from './service.ts'

/** The routing settings of a service, settled. */
export interface EffectiveRouting {
  readonly enabled: boolean
  readonly gatewayRef: ParentReference | undefined
  readonly template: TemplateCompilation
  readonly templateFrom: SettingSource
}

/** An invalid template is an error even while routing is disabled. */
export type RenderedServicePath = RenderedPath | { readonly kind: 'disabled' }

export type ServicePath = RenderedServicePath | PathConflict

/** The rendered path may not be held, because another service holds an overlapping one. */
export interface PathConflict {
  readonly kind: 'conflict'
  readonly path: string
  readonly holder: HeldPath
  /** How the holder's path relates to this one. */
  readonly relation: 'same' | 'above' | 'below'
}

export function effectiveRouting (service: Service, config: UsedConfig | undefined): EffectiveRouting {
  const { value, from: [templateFrom = 'default'] } = settle(PRECEDENCE['routing.pathTemplate'], { service, config })
  const compiled = { service: undefined, config: config?.template, default: DEFAULT_TEMPLATE }[templateFrom]
  return {
    enabled: settle(PRECEDENCE['routing.enabled'], { service, config }).value,
    gatewayRef: settle(PRECEDENCE['routing.gatewayRef'], { service, config }).value,
    template: compiled ?? compilePathTemplate(value),
    templateFrom
  }
}

const DEFAULT_TEMPLATE = compilePathTemplate(DEFAULT_PATH_TEMPLATE)

/** Renders the path of a service, without regard to what other services hold. */
export function renderServicePath (
  service: Service, { enabled, template }: EffectiveRouting, form: SegmentForm
): RenderedServicePath {
  if (template.kind === 'invalid') return { kind: 'invalid', problems: template.problems }
  return enabled ? renderPath(template, renderedObject(service), form) : { kind: 'disabled' }
}

/** The claim that a service lays to a path; undefined without a gateway. */
export function pathClaim (
  { namespace, name }: ServiceFields, { gatewayRef }: EffectiveRouting, path: string
): PathClaim | undefined {
  return gatewayRef && { service: { namespace, name }, gateway: { namespace, ...gatewayRef }, path }
}

/** The path that a stored service holds: that in its block, or without a block that of its own routing. */
export function storedClaim (service: Service, form: SegmentForm): HeldPath | undefined {
  return service.block === undefined ? ownClaim(service, form) : claimInBlock(service)
}

/** Younger than each claim in a block: a deleted configuration takes no path from a service that holds it. */
function ownClaim (service: Service, form: SegmentForm): HeldPath | undefined {
  if (service.routing.enabled !== true || service.routing.gatewayRef === undefined) return undefined
  const routing = effectiveRouting(service, undefined)
  const rendered = renderServicePath(service, routing, form)
  const claim = rendered.kind === 'path' ? pathClaim(service, routing, rendered.path) : undefined
  return claim && { ...claim, since: `~${createdAt(service.object)}` }
}

/** The path in a recorded block; empty if absent. */
export function pathInBlock (block: unknown): string {
  return isJsonObject(block) ? ownString(ownObject(block, 'routing'), 'path') : ''
}

function claimInBlock ({ namespace, name, block, object }: Service): HeldPath | undefined {
  const path = pathInBlock(block)
  const routing = isJsonObject(block) ? ownObject(block, 'routing') : {}
  const field = 'spec.resolvedRuntimeConfig.routing.gatewayRef'
  const gateway = orMalformed(() => parentReferenceAt(routing, 'gatewayRef', field))
  if (path === '' || gateway === undefined || !('name' in gateway)) return undefined
  return { service: { namespace, name }, gateway: { namespace, ...gateway }, path, since: createdAt(object) }
}

/**
 * What keeps a service from a path. A path belongs to the service that first held it: a service that holds it loses it
 * only to an older one, which replicas stored at the same moment.
 */
export function pathConflict (
  wanted: PathClaim, held: HeldPath | undefined, world: Pick<World, 'paths' | 'pathPolicy'>
): PathConflict | undefined {
  const holds = held !== undefined && isSameClaim(held, wanted)
  for (const { holder, relation } of rivals(wanted, world)) {
    if (!holds || ageOrder(holder) < ageOrder(held)) return { kind: 'conflict', path: wanted.path, holder, relation }
  }
  return undefined
}

export function isSameClaim (one: PathClaim, other: PathClaim): boolean {
  return one.path === other.path && sameJson(one.gateway, other.gateway)
}

/** The services whose paths exclude a claim, found one by one. */
export function * rivals (
  claim: PathClaim, { paths, pathPolicy }: Pick<World, 'paths' | 'pathPolicy'>
): Generator<Pick<PathConflict, 'holder' | 'relation'>> {
  for (const holder of paths.holders(claim)) yield { holder, relation: 'same' }
  if (pathPolicy.crossNamespaceOverlap === 'warn') return
  for (const holder of paths.above(claim, 'other namespaces')) yield { holder, relation: 'above' }
  for (const holder of paths.below(claim, 'other namespaces')) yield { holder, relation: 'below' }
}

/** Sorts claims by creation time, then by namespace and name. */
export function ageOrder ({ since, service }: Pick<HeldPath, 'since' | 'service'>): string {
  return `${since} ${keyText(service)}`
}
