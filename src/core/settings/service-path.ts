import type { ParentReference } from '../../api/runtime-config.ts'
import { compilePathTemplate, renderPath, type RenderedPath, type TemplateCompilation } from '../path/template.ts'
import type { HeldPath, PathClaim } from '../world.ts'
import { DEFAULT_PATH_TEMPLATE, PRECEDENCE, settle, type SettingSource } from './precedence.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import type { Service } from './service.ts'

/** The routing settings of a service, settled. */
export interface EffectiveRouting {
  readonly enabled: boolean
  readonly gatewayRef: ParentReference | undefined
  readonly template: TemplateCompilation
  readonly templateFrom: SettingSource
}

/** An invalid template is an error even while routing is disabled. */
export type ServicePath = RenderedPath | { readonly kind: 'disabled' }

export function effectiveRouting (service: Service, config: RuntimeConfig | undefined): EffectiveRouting {
  const givers = { service, config }
  const { value, from: [templateFrom = 'default'] } = settle(PRECEDENCE['routing.pathTemplate'], givers)
  const compiled = { service: undefined, config: config?.template, default: DEFAULT_TEMPLATE }[templateFrom]
  return {
    enabled: settle(PRECEDENCE['routing.enabled'], givers).value,
    gatewayRef: settle(PRECEDENCE['routing.gatewayRef'], givers).value,
    template: compiled ?? compilePathTemplate(value),
    templateFrom
  }
}

const DEFAULT_TEMPLATE = compilePathTemplate(DEFAULT_PATH_TEMPLATE)

export function servicePath (service: Service, { enabled, template }: EffectiveRouting): ServicePath {
  if (template.kind === 'invalid') return { kind: 'invalid', problems: template.problems }
  return enabled ? renderPath(template, service.object) : { kind: 'disabled' }
}

/** Undefined without a path or a gateway. */
export function pathClaim (
  service: Service, { gatewayRef }: EffectiveRouting, path: ServicePath
): PathClaim | undefined {
  if (path.kind !== 'path' || gatewayRef === undefined) return undefined
  const { namespace, name } = service
  return { service: { namespace, name }, gateway: { namespace, ...gatewayRef }, path: path.path }
}

/** Of two services that hold one path, the older keeps it: by creation time, then by namespace and name. */
export function isOlder (a: Pick<HeldPath, 'since' | 'service'>, b: Pick<HeldPath, 'since' | 'service'>): boolean {
  return ageOrder(a) < ageOrder(b)
}

function ageOrder ({ since, service }: Pick<HeldPath, 'since' | 'service'>): string {
  return `${since} ${service.namespace}/${service.name}`
}
