import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { ParentReference } from '../../api/runtime-config.ts'
import { DEFAULT_CONFIG_NAME, PREFIX } from '../../api/meta.ts'
import { definedFields } from '../../platform/json.ts'
import type { TemplateProblem } from '../path/problem.ts'
import { encodeSegment, outOfScope } from '../path/segment.ts'
import type { ObjectKey } from '../ports.ts'
import type { HeldPath, PathClaim, World } from '../world.ts'
import { FILLABLE_FIELDS, fieldIn, type FillableField, type FilledFields } from './filled-fields.ts'
import { PRECEDENCE, settle } from './precedence.ts'
import { BUILTIN_CONFIG, type UsedConfig } from './runtime-config.ts'
import type { BlockPlace, Service } from './service.ts'
import {
  effectiveRouting, isSameClaim, pathClaim, pathConflict, renderServicePath, storedClaim, type EffectiveRouting,
  type RenderedServicePath, type ServicePath
} from './service-path.ts'

/** The path that follows from a service, its configuration, and the paths that other services hold. */
export interface PathAssessment {
  readonly service: Service
  /** Undefined if the configuration is missing. */
  readonly config: UsedConfig | undefined
  readonly routing: EffectiveRouting
  readonly path: ServicePath
  /** The path that the stored service holds. */
  readonly held: HeldPath | undefined
  /** The path and gateway that the service asks for; undefined without a path or a gateway. */
  readonly wanted: PathClaim | undefined
  /** What it wants, unless another service is in the way. */
  readonly claim: PathClaim | undefined
}

export interface Assessment extends PathAssessment {
  /** The fields of the service that admission fills. */
  readonly filled: FilledFields
  /** The resolved configuration that admission records; undefined without a configuration. */
  readonly block: ResolvedRuntimeConfig | undefined
  readonly blockPlace: BlockPlace
}

export type PathWorld = Pick<World, 'paths' | 'pathPolicy'>
export type AssessmentWorld = PathWorld & Pick<World, 'configs' | 'served'>

/** Everything that follows from a service. Pure. `stored`: the service in the API server; undefined for a new one. */
export function assessService (service: Service, world: AssessmentWorld, stored: Service | undefined): Assessment {
  const config = resolveConfig({ namespace: service.namespace, name: service.configName }, world)
  const assessed = assessPath({ service, config, stored }, world)
  const blockPlace = world.served.has('spec', 'resolvedRuntimeConfig') ? 'spec' : 'annotation'
  const block = config && resolvedBlock(config, assessed)
  const filled = world.pathPolicy.inject === 'record' ? {} : fieldsToFill(assessed, block, world)
  return { ...assessed, block, filled, blockPlace }
}

export function assessPath (
  { service, config, stored }: Pick<PathAssessment, 'service' | 'config'> & { readonly stored: Service | undefined },
  world: PathWorld
): PathAssessment {
  const routing = effectiveRouting(service, config)
  const held = stored && heldPath(stored, world)
  const rendered = renderServicePath(service, routing, world.pathPolicy.pathSegments)
  const wanted = rendered.kind === 'path' ? pathClaim(service, routing, rendered.path) : undefined
  const isHeld = held !== undefined && wanted !== undefined && isSameClaim(held, wanted)
  const problem = isHeld ? undefined : scopeProblem(rendered, service, world) // a scope set later takes no held path
  if (problem !== undefined) {
    const path = { kind: 'invalid', problems: [problem] } as const
    return { service, config, routing, path, held, wanted: undefined, claim: undefined }
  }
  const conflict = wanted && pathConflict(wanted, held, world)
  return { service, config, routing, path: conflict ?? rendered, held, wanted, claim: conflict ? undefined : wanted }
}

/** The index also has the path in a block that a changed definition dropped. */
function heldPath (stored: Service, { paths, pathPolicy }: PathWorld): HeldPath | undefined {
  return (stored.block === undefined ? paths.heldBy(stored) : undefined) ?? storedClaim(stored, pathPolicy.pathSegments)
}

/** Under the scope `namespace`, a path outside the namespace is a problem. */
function scopeProblem (
  path: RenderedServicePath, { namespace }: Service, { pathPolicy: { pathScope } }: PathWorld
): TemplateProblem | undefined {
  if (pathScope === 'any' || path.kind !== 'path') return undefined
  return path.path.split('/')[1] === encodeSegment(namespace) ? undefined : outOfScope(path.path, namespace)
}

/** The namespace's configuration replaces the cluster's whole: the two are never merged. */
export function resolveConfig (
  { namespace, name }: ObjectKey, { configs, pathPolicy }: Pick<World, 'configs' | 'pathPolicy'>
): UsedConfig | undefined {
  const hasBuiltin = pathPolicy.missingDefault === 'builtin' && name === DEFAULT_CONFIG_NAME
  return configs.namespaced(namespace, name) ?? configs.cluster(name) ?? (hasBuiltin ? BUILTIN_CONFIG : undefined)
}

/**
 * What the service gets in those fields that its user left unset, so that a program that reads only them does what the
 * block says. Without a path, or without a gateway, the service must not be served: that program would render the
 * template itself. It may also merge configurations, and use one before it is rolled out.
 */
function fieldsToFill (
  { service: { object }, routing, path }: PathAssessment, block: ResolvedRuntimeConfig | undefined,
  { served }: AssessmentWorld
): FilledFields {
  const servedPath = path.kind === 'path' && routing.gatewayRef !== undefined ? path.path : undefined
  const isKeptOff = servedPath === undefined && fieldIn(object, 'spec.routing.enabled') === true
  const values: Record<FillableField, unknown> = {
    'spec.routing.enabled': routing.enabled && servedPath !== undefined,
    'spec.routing.gatewayRef': isKeptOff ? NO_PATH_GATEWAY : routing.gatewayRef,
    'spec.routing.pathTemplate': servedPath ?? (isKeptOff ? NO_PATH_TEMPLATE : undefined),
    'spec.imagePullSecrets': block?.imagePullSecrets,
    'spec.serviceAccountName': block?.serviceAccountName
  }
  const unset = FILLABLE_FIELDS.filter((field) =>
    fieldIn(object, field) === undefined && served.has(...field.split('.')))
  return definedFields(Object.fromEntries(unset.map((field) => [field, values[field]])))
}

/** No service has this label, so no program can render a path from the template. */
const NO_PATH_TEMPLATE = `/{.metadata.labels['${PREFIX}/no-path']}`
/** No gateway has this name, so a route to it serves nothing, whatever the template of the service. */
const NO_PATH_GATEWAY: ParentReference = { name: `no-path.${PREFIX}` }

/** Unset fields are left out. */
function resolvedBlock (config: UsedConfig, { service, routing, path }: PathAssessment): ResolvedRuntimeConfig {
  const givers = { service, config }
  const { value: storageClass } = settle(PRECEDENCE.defaultStorageClassName, givers)
  const { value: serviceAccount } = settle(PRECEDENCE.serviceAccountName, givers)
  const { value: pullSecrets } = settle(PRECEDENCE.imagePullSecrets, givers)
  return {
    kind: config.kind,
    scope: config.scope,
    ...(config.scope === 'Namespace' && { namespace: config.namespace }),
    name: config.name,
    hash: config.hash,
    ...(storageClass !== undefined && { defaultStorageClassName: storageClass }),
    ...(serviceAccount !== undefined && { serviceAccountName: serviceAccount }),
    ...(pullSecrets !== undefined && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    model: {
      creationScope: settle(PRECEDENCE['model.creationScope'], givers).value,
      autoDiscovery: settle(PRECEDENCE['model.autoDiscovery'], givers).value
    },
    routing: {
      enabled: routing.enabled,
      ...(routing.gatewayRef !== undefined && { gatewayRef: routing.gatewayRef }),
      pathTemplate: routing.template.source,
      ...(path.kind === 'path' && { path: path.path })
    }
  }
}
