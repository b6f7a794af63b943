export const GROUP = 'aim.silogen.ai'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}` as const

/** The owner of the fields that this program writes. Source: Kubernetes, "Server-Side Apply". */
export const FIELD_MANAGER = 'aim-admission'

/** The namespace that the program runs in, unless configured. */
export const SYSTEM_NAMESPACE = 'aim-system'

/** kubectl's namespace if neither a flag nor a context sets one. */
export const DEFAULT_NAMESPACE = 'default'

/** The default of `spec.runtimeConfigName`. */
export const DEFAULT_CONFIG_NAME = 'default'

/**
 * On a service: the resolved configuration as canonical JSON, where the definition has no
 * `spec.resolvedRuntimeConfig`.
 */
export const RECORD_ANNOTATION = `${GROUP}/resolved-runtime-config`

/** On a configuration: how its changes are rolled out to the services that use it. */
export const ROLLOUT_ANNOTATION = `${GROUP}/rollout`

/** On a service: the fields that admission filled, with their values, as JSON. */
export const INJECTED_FIELDS_ANNOTATION = `${GROUP}/injected-fields`

/** kubectl's copy of the applied manifest, which is no setting of the service. */
export const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
