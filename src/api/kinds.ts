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

/** Kind of the built-in defaults in a block: `--missing-default builtin`. */
export const BUILTIN_KIND = 'Default'

/** Source: Gateway API v1, ParentReference. */
export const GATEWAY_DEFAULTS = { group: 'gateway.networking.k8s.io', kind: 'Gateway' } as const
