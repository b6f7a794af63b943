/** The API group of every kind this project knows, and the one version it serves. */
export const GROUP = 'aim.silogen.ai'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}` as const

/** The owner of the fields that this program writes. Source: Kubernetes, "Server-Side Apply". */
export const FIELD_MANAGER = 'aim-admission'

/** The namespace that the program runs in, unless configured. */
export const SYSTEM_NAMESPACE = 'aim-system'

/** The name a service uses when it gives no `spec.runtimeConfigName`. */
export const DEFAULT_CONFIG_NAME = 'default'

/** On a configuration: how a change of it is carried to the services that use it. */
export const ROLLOUT_ANNOTATION = `${GROUP}/rollout`

/** The object metadata the project reads. Source: Kubernetes API conventions, "Metadata". */
export interface ObjectMeta {
  readonly name?: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  /** RFC 3339, assigned by the API server after mutating admission. */
  readonly creationTimestamp?: string | null
  /** RFC 3339; set while the object waits for its finalizers. */
  readonly deletionTimestamp?: string | null
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
