/** Prefix of annotations and of names that belong to this program, whatever the API group. */
export const PREFIX = 'aim.silogen.ai'

/** The API group of the three kinds, of `--api-group`. It is constant in a process and its threads. */
export const GROUP = (globalThis as Host).process?.env?.['AIM_ADMISSION_API_GROUP'] || PREFIX
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}`

interface Host { readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> } }

/** The owner of the fields that this program writes. Source: Kubernetes, "Server-Side Apply". */
export const FIELD_MANAGER = 'aim-admission'

/** The namespace that the program runs in, unless configured. */
export const SYSTEM_NAMESPACE = 'aim-system'

/** kubectl's namespace if neither a flag nor a context sets one. */
export const DEFAULT_NAMESPACE = 'default'

/** The default of `spec.runtimeConfigName`. */
export const DEFAULT_CONFIG_NAME = 'default'

/**
 * On a service: the resolved configuration as canonical JSON, where the definition has no `spec.resolvedRuntimeConfig`.
 */
export const BLOCK_ANNOTATION = `${PREFIX}/resolved-runtime-config`

/** On a configuration: how its changes are rolled out to the services that use it. */
export const ROLLOUT_ANNOTATION = `${PREFIX}/rollout`

/** On a service: the fields that admission filled, with their values, as JSON. */
export const INJECTED_FIELDS_ANNOTATION = `${PREFIX}/injected-fields`

/** kubectl's copy of the applied manifest, which is no setting of the service. */
export const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
