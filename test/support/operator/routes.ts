import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'

/**
 * The path at which the operator serves a service; undefined if the template selects nothing. Values and literals
 * alike are lowercased, other characters than [a-z0-9.-] become "-", and empty segments vanish.
 */
export function operatorPath (template: string, service: JsonObject): string | undefined {
  const filled = template.replace(/\{([^{}]*)\}/g, (whole, expression: string) => select(service, expression) ?? whole)
  if (/[{}]/.test(filled)) return undefined
  const segments = filled.split('/').map(segmentOf).filter((segment) => segment !== '')
  return `/${segments.join('/')}`
}

/** At most 63 characters, as in a DNS label; dots stay. */
function segmentOf (text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9.-]/g, '-').slice(0, 63)
}

/** The scalar that a JSONPath of plain fields selects, as text; undefined without one. */
function select (object: JsonObject, expression: string): string | undefined {
  let value: unknown = object
  for (const [, plain, quoted, index] of expression.matchAll(STEP)) {
    const key = quoted ?? plain?.replaceAll('\\.', '.') ?? index ?? ''
    if (Array.isArray(value)) value = (value as readonly unknown[])[Number(key)]
    else value = isJsonObject(value) ? own(value, key) : undefined
  }
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined
}

/** A field with escaped dots, a quoted field, or an index. */
const STEP = /\.((?:[^.[\\]|\\.)+)|\['([^']*)'\]|\[(\d+)\]/g

/** The spec of both configurations, field by field: that of the namespace takes precedence; lists are not merged. */
export function mergeSpecs (cluster: JsonObject, namespace: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...cluster }
  for (const [key, value] of Object.entries(namespace)) {
    const below = own(cluster, key)
    merged[key] = isJsonObject(value) && isJsonObject(below) ? mergeSpecs(below, value) : value
  }
  return merged
}

/** What the operator makes of a service: the HTTPRoute that it wants, or why it has none. */
export type WantedRoute =
  | { readonly kind: 'route', readonly path: string, readonly gateway: JsonObject, readonly isOwn: boolean }
  | { readonly kind: 'none', readonly reason: 'RoutingDisabled' | 'TemplateFailed' | 'NoGateway' }

/** `isOwn` tells whether routing is enabled on the service itself. */
export function wantedRoute (service: JsonObject, config: JsonObject): WantedRoute {
  const metadata = ownObject(service, 'metadata')
  const routing = ownObject(ownObject(service, 'spec'), 'routing')
  const inherited = ownObject(config, 'routing')
  if ((routing['enabled'] ?? inherited['enabled']) !== true) return { kind: 'none', reason: 'RoutingDisabled' }
  const template = ownString(routing, 'pathTemplate') || ownString(inherited, 'pathTemplate') ||
    `/${ownString(metadata, 'namespace')}/${ownString(metadata, 'uid')}`
  const path = operatorPath(template, service)
  if (path === undefined) return { kind: 'none', reason: 'TemplateFailed' }
  const gateway = [routing, inherited]
    .map((from) => ownObject(from, 'gatewayRef'))
    .find(({ name }) => name !== undefined)
  return gateway === undefined
    ? { kind: 'none', reason: 'NoGateway' }
    : { kind: 'route', path, gateway, isOwn: routing['enabled'] === true }
}
