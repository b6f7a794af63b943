import type { CreationScope } from '../../api/runtime-config.ts'
import type { UsedConfig } from './runtime-config.ts'
import type { ServiceFields } from './service.ts'

/** The places that can give a setting, in the order of precedence. */
export const SOURCES = ['service', 'config', 'default'] as const
export type SettingSource = typeof SOURCES[number]

/** Where one setting comes from: the first source that gives a value or, with `join`, every source. */
export interface SettingRule<Value> {
  readonly service?: (service: ServiceFields) => Value | undefined
  readonly config?: (config: UsedConfig) => Value | undefined
  readonly default?: Value
  join? (service: Value, config: Value): Value
}

type WithDefault<Value> = SettingRule<Value> & { readonly default: Value }

/** The template of a service if neither it nor its configuration gives one. */
export const DEFAULT_PATH_TEMPLATE = '/{.metadata.namespace}/{.metadata.name}'

/** The one table of precedence, shown in docs/reference/fields.md. A key is the field below `spec`. */
export const PRECEDENCE = {
  defaultStorageClassName: { config: (config) => config.defaultStorageClassName } satisfies SettingRule<string>,
  serviceAccountName: either(({ serviceAccountName }) => serviceAccountName),
  imagePullSecrets: {
    ...either(({ imagePullSecrets }) => namesOf(imagePullSecrets)),
    join: (service, config) => [...new Set([...service, ...config])]
  } satisfies SettingRule<readonly string[]>,
  'model.creationScope': {
    config: ({ model }) => model.creationScope, default: 'Cluster'
  } satisfies WithDefault<CreationScope>,
  'model.autoDiscovery': { config: ({ model }) => model.autoDiscovery, default: true } satisfies WithDefault<boolean>,
  'routing.enabled': { ...either(({ routing }) => routing.enabled), default: false },
  'routing.gatewayRef': either(({ routing }) => routing.gatewayRef),
  'routing.pathTemplate': { ...either(({ routing }) => routing.pathTemplate), default: DEFAULT_PATH_TEMPLATE }
}

/** A setting that service and configuration give in the same field. */
function either<Value> (
  read: (giver: Pick<ServiceFields, 'serviceAccountName' | 'imagePullSecrets' | 'routing'>) => Value | undefined
): Required<Pick<SettingRule<Value>, 'service' | 'config'>> {
  return { service: read, config: read }
}

/** The value of a setting, and the sources that gave it: none, one, or several that were joined. */
export interface Settled<Value> { readonly value: Value, readonly from: readonly SettingSource[] }

/** What settings are read from. Without a configuration only the service and the defaults count. */
export interface Givers { readonly service: ServiceFields, readonly config: UsedConfig | undefined }

export function settle<Value> (rule: WithDefault<Value>, givers: Givers): Settled<Value>
export function settle<Value> (rule: SettingRule<Value>, givers: Givers): Settled<Value | undefined>
export function settle<Value> (rule: SettingRule<Value>, { service, config }: Givers): Settled<Value | undefined> {
  const [own, shared] = [rule.service?.(service), config && rule.config?.(config)]
  if (rule.join !== undefined && own !== undefined && shared !== undefined) {
    return { value: rule.join(own, shared), from: ['service', 'config'] }
  }
  if (own !== undefined) return { value: own, from: ['service'] }
  if (shared !== undefined) return { value: shared, from: ['config'] }
  return rule.default === undefined ? { value: undefined, from: [] } : { value: rule.default, from: ['default'] }
}

/** One entry a name: a manifest may repeat a name, which the API server refuses. */
function namesOf (names: readonly string[]): readonly string[] | undefined {
  return names.length === 0 ? undefined : [...new Set(names)]
}
