import type { ParentReference } from '../../api/runtime-config.ts'
import { booleanAt, objectAt, parentReferenceAt, stringAt } from './read-fields.ts'
import type { JsonObject } from '../../platform/json.ts'

/** The three routing settings that a service and a configuration both may give. Unset is not false. */
export interface RoutingFields {
  readonly enabled: boolean | undefined
  readonly gatewayRef: ParentReference | undefined
  readonly pathTemplate: string | undefined
}

/** Reads `spec.routing`. Throws inside `reading` where a field has a wrong type. */
export function routingFieldsOf (spec: JsonObject): RoutingFields {
  const routing = objectAt(spec, 'routing', 'spec.routing')
  return {
    enabled: booleanAt(routing, 'enabled', 'spec.routing.enabled'),
    gatewayRef: parentReferenceAt(routing, 'gatewayRef', 'spec.routing.gatewayRef'),
    pathTemplate: stringAt(routing, 'pathTemplate', 'spec.routing.pathTemplate')
  }
}
