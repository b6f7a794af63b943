import { stringify } from 'yaml'
import type { JsonObject } from '../../platform/json.ts'

/**
 * The objects as YAML documents, in the order and form in which kubectl writes them. Quotes what YAML 1.1 would read as
 * something else than a string.
 */
export function toYaml (objects: readonly JsonObject[]): string {
  return objects
    .map((object) =>
      stringify(object, { version: '1.1', indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false })
    )
    .join('---\n')
}
