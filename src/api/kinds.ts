/** One kind as a cluster knows it: what its CRD, its RBAC rules and its webhook registrations name it by. */
export interface Kind {
  readonly kind: 'AIMService' | 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig'
  readonly plural: string
  readonly singular: string
  readonly shortName: string
  readonly scope: 'Namespaced' | 'Cluster'
}

export const AIM_RUNTIME_CONFIG = {
  kind: 'AIMRuntimeConfig', plural: 'aimruntimeconfigs', singular: 'aimruntimeconfig', shortName: 'aimrcfg', scope: 'Namespaced'
} as const satisfies Kind

export const AIM_CLUSTER_RUNTIME_CONFIG = {
  kind: 'AIMClusterRuntimeConfig', plural: 'aimclusterruntimeconfigs', singular: 'aimclusterruntimeconfig', shortName: 'aimcrcfg', scope: 'Cluster'
} as const satisfies Kind

export const AIM_SERVICE = {
  kind: 'AIMService', plural: 'aimservices', singular: 'aimservice', shortName: 'aimsvc', scope: 'Namespaced'
} as const satisfies Kind

/** Configurations before the services that use them. */
export const KINDS = [AIM_RUNTIME_CONFIG, AIM_CLUSTER_RUNTIME_CONFIG, AIM_SERVICE] as const satisfies readonly Kind[]
