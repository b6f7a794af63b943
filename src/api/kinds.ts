/** A kind by the names that its CRD, RBAC rules and webhook registrations use. */
export interface Kind {
  readonly kind: 'AIMService' | 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig'
  readonly plural: string
  readonly singular: string
  readonly shortName: string
  readonly scope: 'Namespaced' | 'Cluster'
}

export const AIM_RUNTIME_CONFIG = kindOf('AIMRuntimeConfig', 'aimrcfg', 'Namespaced')
export const AIM_CLUSTER_RUNTIME_CONFIG = kindOf('AIMClusterRuntimeConfig', 'aimcrcfg', 'Cluster')
export const AIM_SERVICE = kindOf('AIMService', 'aimsvc', 'Namespaced')

function kindOf<K extends Kind['kind']> (kind: K, shortName: string, scope: Kind['scope']): Kind & { kind: K } {
  const singular = kind.toLowerCase()
  return { kind, plural: `${singular}s`, singular, shortName, scope }
}

/** Configurations before the services that use them. */
export const KINDS = [AIM_RUNTIME_CONFIG, AIM_CLUSTER_RUNTIME_CONFIG, AIM_SERVICE] as const satisfies readonly Kind[]

/** Spec fields that an AIMRuntimeConfig may set and an AIMClusterRuntimeConfig must not. */
export const CREDENTIAL_FIELDS = ['serviceAccountName', 'imagePullSecrets'] as const

/** Why a cluster configuration with such a field is refused, and what to do. */
export function credentialMessage (field: typeof CREDENTIAL_FIELDS[number]): string {
  return `${CREDENTIAL_PLACE}: remove ${field} here and set it there`
}

export const CREDENTIAL_PLACE = 'credentials belong in an AIMRuntimeConfig of the namespace that needs them'

/** Kind of the built-in defaults in a block: `--missing-default builtin`. */
export const BUILTIN_KIND = 'Default'

/** Source: Gateway API v1, ParentReference. */
export const GATEWAY_DEFAULTS = { group: 'gateway.networking.k8s.io', kind: 'Gateway' } as const
