import type { ConfigLookup } from '../ports.ts'
import type { RuntimeConfig } from './runtime-config.ts'

/** The configuration a service asks for: its namespace, and the name it gives or `default`. */
export interface ConfigRef { readonly namespace: string, readonly name: string }

export type Resolution =
  | { readonly kind: 'found', readonly config: RuntimeConfig }
  | { readonly kind: 'missing', readonly ref: ConfigRef }

/** The namespace's own configuration wins whole; the cluster's is used only where there is none. Nothing is merged. */
export function resolveConfig (ref: ConfigRef, lookup: ConfigLookup): Resolution {
  const config = lookup.namespaced(ref.namespace, ref.name) ?? lookup.cluster(ref.name)
  return config === undefined ? { kind: 'missing', ref } : { kind: 'found', config }
}
