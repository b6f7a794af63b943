import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { Assessment } from '../settings/assess.ts'
import { isJsonObject, own, ownObject, ownString, sameJson, type JsonObject } from '../../platform/json.ts'
import { createdAt } from '../../api/object-meta.ts'

/**
 * How what is stored of a service compares with what admission would write today.
 * `current`: alike. `outdated`: its configuration came, changed or went since. `pending`: its path could not be
 * rendered at creation, and can be now.
 * `unobserved`: no webhook saw its last write, since one would have written something else.
 */
export type Staleness = 'current' | 'outdated' | 'pending' | 'unobserved'

/** Pure. */
export function stalenessOf ({ service, config, block }: Assessment): Staleness {
  if (service.givenConfigName === undefined) return 'unobserved'
  if (sameJson(block, service.block)) return 'current'
  const stored = isJsonObject(service.block) ? service.block : undefined
  if (stored === undefined) {
    return config === undefined || isYounger(config.createdAt, createdAt(service.object)) ? 'outdated' : 'unobserved'
  }
  if (own(stored, 'name') !== service.configName) return 'unobserved'
  return block === undefined || !isOfSameConfig(block, stored) ? 'outdated' : unlike(block, stored)
}

/** Of two blocks of the same configuration that differ. */
function unlike (block: ResolvedRuntimeConfig, stored: JsonObject): Staleness {
  const { path, ...routing } = block.routing
  return path !== undefined && sameJson({ ...block, routing }, stored) ? 'pending' : 'unobserved'
}

function isOfSameConfig ({ kind, hash }: ResolvedRuntimeConfig, stored: JsonObject): boolean {
  return own(stored, 'kind') === kind && own(stored, 'hash') === hash
}

/** The hash in the block that is stored, where it is of this very configuration; empty else. */
export function carriedHash ({ service: { block }, config }: Assessment): string {
  if (config === undefined || !isJsonObject(block)) return ''
  const isOfConfig = own(block, 'kind') === config.kind && own(block, 'name') === config.name
  return isOfConfig ? ownString(block, 'hash') : ''
}

/** The path in the block that is stored; empty without one. */
export function storedPath ({ service: { block } }: Assessment): string {
  return isJsonObject(block) ? ownString(ownObject(block, 'routing'), 'path') : ''
}

/**
 * Within this, a service may have been admitted by a replica that did not know the configuration yet, in milliseconds.
 */
const PROPAGATION_MS = 5_000

/**
 * Whether a configuration is not old enough to have been known when the service was created. Both RFC 3339; an unknown
 * time counts as young.
 */
function isYounger (config: string, service: string): boolean {
  return !(Date.parse(config) + PROPAGATION_MS < Date.parse(service))
}
