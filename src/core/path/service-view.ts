import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { spend, type Budget } from './selection.ts'
import { READABLE_METADATA, WITHHELD_SPEC, type Place } from './readable-fields.ts'

/**
 * What stands at a place, copied one level deep without the fields that no expression may read. Undefined where nothing
 * does.
 */
export function viewOf (service: JsonObject, place: Place, budget: Budget): unknown {
  switch (place) {
    case '': return present([
      ['apiVersion', own(service, 'apiVersion')],
      ['kind', own(service, 'kind')],
      ['metadata', viewOf(service, '.metadata', budget)],
      ['spec', viewOf(service, '.spec', budget)]
    ])
    case '.metadata': {
      const metadata = ownObject(service, 'metadata')
      return present(READABLE_METADATA.map((key) => [key, awaited(metadata, key) ?? own(metadata, key)]))
    }
    case '.spec': return specView(own(service, 'spec'), budget)
  }
}

/**
 * A symbol in place of a field that the API server fills in after mutating admission, described by its path; undefined
 * for any other, or once it is set.
 */
export function awaited (metadata: JsonObject, key: string): symbol | undefined {
  if ((own(metadata, key) ?? '') !== '') return undefined
  return key === 'name' && ownString(metadata, 'generateName') === '' ? undefined : AWAITED.get(key)
}

const AWAITED = new Map(['name', 'uid', 'creationTimestamp'].map((key) => [key, Symbol(`metadata.${key}`)]))

function specView (spec: unknown, budget: Budget): unknown {
  if (!isJsonObject(spec) || !Object.hasOwn(spec, WITHHELD_SPEC)) return spec
  const keys = Object.keys(spec)
  spend(budget, keys.length)
  return present(keys.map((key) => [key, key === WITHHELD_SPEC ? undefined : spec[key]]))
}

/** An object of the entries that have a value. Made by definition, not assignment: a key `__proto__` is data. */
function present (entries: readonly (readonly [string, unknown])[]): JsonObject {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}
