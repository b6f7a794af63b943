import type { ParentReference } from '../../api/runtime-config.ts'
import { compilePathTemplate, renderPath, type TemplateCompilation, type TemplateProblem } from '../path/template.ts'
import type { PathClaim } from '../ports.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import type { Service } from './service.ts'

/** The template of a service for which neither it nor its configuration gives one. */
export const DEFAULT_PATH_TEMPLATE = '/{.metadata.namespace}/{.metadata.name}'

/** The routing in force: each setting is the service's own, else the configuration's. */
export interface EffectiveRouting {
  readonly enabled: boolean
  /** Replaced whole, never merged by field. */
  readonly gatewayRef: ParentReference | undefined
  readonly template: TemplateCompilation
  /** Who gives the template. */
  readonly templateFrom: 'service' | 'config' | 'default'
}

/** What becomes of a service's path. */
export type ServicePath =
  | { readonly kind: 'disabled' }
  | { readonly kind: 'path', readonly path: string }
  | { readonly kind: 'pending', readonly needs: string }
  | { readonly kind: 'faulty', readonly problems: readonly [TemplateProblem, ...TemplateProblem[]] }

/** Settles each routing setting; without a configuration only the service's own and the defaults count. */
export function effectiveRouting ({ routing }: Service, config: RuntimeConfig | undefined): EffectiveRouting {
  return {
    enabled: routing.enabled ?? config?.routing.enabled ?? false,
    gatewayRef: routing.gatewayRef ?? config?.routing.gatewayRef,
    ...templateInForce(routing.pathTemplate, config)
  }
}

/** Renders the path while routing is enabled. An invalid template is a fault even while it is not. */
export function servicePath (service: Service, { enabled, template }: EffectiveRouting): ServicePath {
  if (template.kind === 'invalid') return { kind: 'faulty', problems: template.problems }
  return enabled ? renderPath(template, service.object) : { kind: 'disabled' }
}

/** The claim a service lays to its path; none without a path, a gateway or a name. */
export function pathClaim (service: Service, { gatewayRef }: EffectiveRouting, path: ServicePath): PathClaim | undefined {
  if (path.kind !== 'path' || gatewayRef === undefined) return undefined
  const { namespace, name } = service
  return { service: { namespace, name }, gateway: { namespace, ...gatewayRef }, path: path.path }
}

function templateInForce (own: string | undefined, config: RuntimeConfig | undefined): Pick<EffectiveRouting, 'template' | 'templateFrom'> {
  if (own !== undefined) return { template: compilePathTemplate(own), templateFrom: 'service' }
  if (config?.template !== undefined) return { template: config.template, templateFrom: 'config' }
  return { template: DEFAULT_TEMPLATE, templateFrom: 'default' }
}

const DEFAULT_TEMPLATE = compilePathTemplate(DEFAULT_PATH_TEMPLATE)
