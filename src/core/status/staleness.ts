import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { ServicePath } from '../settings/service-path.ts'
import { createdAt } from '../../api/object-meta.ts'
import { isJsonObject, own, ownObject, ownString, sameJson, type JsonObject } from '../../platform/json.ts'
import type { Assessment } from '../settings/assess.ts'
import { PROPAGATION_MS } from '../settings/runtime-config.ts'

/** How a stored service compares with what admission would write now. */
export type Staleness =
  | 'current'
  /** Its configuration was created, changed, or deleted since. */
  | 'configChanged'
  /** Its fields are not those that admission fills: `--inject` was changed, or no webhook saw a write. */
  | 'unfilled'
  /** Its path has become available, or an older service has it. */
  | 'pathChanged'
  /** Its block is not where the definition of AIMService has a place for it. */
  | 'misplaced'
  /** No webhook saw its last write, because one would have written something else. */
  | 'unobserved'

/** Pure. */
export function stalenessOf (assessment: Assessment): Staleness {
  const staleness = contentStaleness(assessment)
  const { service: { block, storedBlockPlace }, blockPlace } = assessment
  if (block === undefined || storedBlockPlace === blockPlace) return staleness
  return staleness === 'current' || staleness === 'unobserved' ? 'misplaced' : staleness
}

function contentStaleness (assessment: Assessment): Staleness {
  const { service, block, filled } = assessment
  if (service.givenConfigName === undefined) return 'unobserved'
  if (!sameJson(block, service.block)) return stalenessOfBlock(assessment)
  return sameJson(filled, service.filled) ? 'current' : 'unfilled'
}

function stalenessOfBlock ({ service, config, block, path }: Assessment): Staleness {
  if (!isJsonObject(service.block)) {
    const mayBeNew = config === undefined || isYounger(config.createdAt, createdAt(service.object))
    return mayBeNew ? 'configChanged' : 'unobserved'
  }
  if (own(service.block, 'name') !== service.configName) return 'unobserved'
  const { kind, hash } = service.block
  if (block === undefined || kind !== block.kind || hash !== block.hash) return 'configChanged'
  return isPathChanged(service.block, block, path) ? 'pathChanged' : 'unobserved'
}

/** Whether two blocks differ only in a path that became available, or that an older service holds. */
function isPathChanged (stored: JsonObject, block: ResolvedRuntimeConfig, { kind }: ServicePath): boolean {
  const { path, ...routing } = block.routing
  const { path: storedPath, ...storedRouting } = ownObject(stored, 'routing')
  const isGained = path !== undefined && storedPath === undefined
  return (isGained || kind === 'conflict') && sameJson({ ...block, routing }, { ...stored, routing: storedRouting })
}

/** The hash in the stored block; empty if the block is of another configuration, or absent. */
export function storedHash ({ service: { block }, config }: Assessment): string {
  if (config === undefined || !isJsonObject(block)) return ''
  const isOfConfig = own(block, 'kind') === config.kind && own(block, 'name') === config.name
  return isOfConfig ? ownString(block, 'hash') : ''
}

/** Whether a configuration may have been unknown when the service was created. Both RFC 3339; unknown times count. */
function isYounger (config: string, service: string): boolean {
  return !(Date.parse(config) + PROPAGATION_MS < Date.parse(service))
}
