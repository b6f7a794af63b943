import type { Condition } from '../../api/kubernetes-schemas.ts'
import { FIELD_MANAGER } from '../../api/meta.ts'
import {
  isJsonObject, own, ownObject, ownObjects, ownString, parseObject, type JsonObject
} from '../../platform/json.ts'
import type { ServedFields } from '../ports.ts'
import type { OwnStatus } from './conditions.ts'

/**
 * Who owns which part of a status. A part is a field of the status, or a condition. This program gives up a part of
 * which another manager owns anything, until none does. Source: Kubernetes, "Server-Side Apply"; FieldsV1.
 */
export interface StatusOwnership {
  /** The parts that others own, with their managers. */
  readonly others: ReadonlyMap<string, string>
  /** What only this program owns of those parts: omitting it would remove it. */
  readonly kept: OwnStatus | undefined
  /** The last other writer of the status; this program's own name without one: then two installations may run. */
  readonly lastWriter: string
}

/** The ownership of a stored status, and the part of it that this program owns. Without an owner it is its own. */
export function ownershipOf<T extends OwnStatus> (
  object: JsonObject, status: T
): { readonly status: T, readonly ownership: StatusOwnership } {
  const managed = ownObjects(ownObject(object, 'metadata'), 'managedFields').map((entry) => ({
    manager: ownString(entry, 'manager'),
    time: ownString(entry, 'time'),
    fields: ownObject(ownObject(entry, 'fieldsV1'), 'f:status')
  })).filter(({ fields }) => Object.keys(fields).length > 0)
  if (managed.length === 0) return { status, ownership: NO_OTHERS }
  const theirs = managed.filter(({ manager }) => manager !== FIELD_MANAGER).sort((a, b) => a.time < b.time ? -1 : 1)
  const mine = partsOf(managed.find(({ manager }) => manager === FIELD_MANAGER)?.fields ?? {})
  const trees = theirs.map(({ fields }) => partsOf(fields))
  const others = new Map(trees.flatMap((parts, at) =>
    [...parts.keys()].map((part) => [part, theirs[at]?.manager ?? ''] as const)))
  const kept = Object.fromEntries([...mine].flatMap(([part, tree]) => {
    const rivals = trees.map((parts) => ownerOf(part, parts)).filter((tree) => tree !== undefined)
    const value = rivals.length === 0 ? undefined : solelyOwned(valueAt(object, part), tree, rivals)
    return value === undefined ? [] : [[part, value]]
  }))
  return {
    status: onlyParts(status, (part) => mine.has(part) && ownerOf(part, others) === undefined),
    ownership: {
      others,
      kept: Object.keys(kept).length === 0 ? undefined : fromParts(kept),
      lastWriter: theirs.at(-1)?.manager ?? FIELD_MANAGER
    }
  }
}

const NO_OTHERS: StatusOwnership = { others: new Map(), kept: undefined, lastWriter: FIELD_MANAGER }

/** What this program may write of a status: fields that the definition has, and parts that no other manager owns. */
export function writable<T extends OwnStatus> (status: T, { others }: StatusOwnership, served: ServedFields): T {
  return onlyParts(servedPart(status, served, ['status']) as T, (part) => ownerOf(part, others) === undefined)
}

/** The parts of a status that are given up, with their managers. */
export function givenUp (status: OwnStatus, { others }: StatusOwnership): Map<string, string> {
  return new Map(namesOf(status).flatMap((part) => {
    const manager = ownerOf(part, others)
    return manager === undefined ? [] : [[part, manager]]
  }))
}

/** The status with what has to be kept of the parts that are given up. */
export function withKept (status: OwnStatus, { kept }: StatusOwnership): OwnStatus {
  return kept === undefined ? status : { ...status, ...kept, conditions: [...status.conditions, ...kept.conditions] }
}

function ownerOf<T> (part: string, owners: ReadonlyMap<string, T>): T | undefined {
  return owners.get(part) ?? owners.get(listOf(part))
}

const CONDITION = 'condition '

/** The part of all conditions, which a manager owns where the definition has them as one value. */
function listOf (part: string): string {
  return part.startsWith(CONDITION) ? 'conditions' : part
}

/** The parts in the field set of a status. */
function partsOf (fields: JsonObject): Map<string, JsonObject> {
  return new Map(Object.keys(fields).flatMap((key): Array<readonly [string, JsonObject]> => {
    const tree = ownObject(fields, key)
    // this program writes no other field of the routing
    const isOtherRouting = key === 'f:routing' && Object.keys(tree).length > 0 && !Object.hasOwn(tree, 'f:path')
    if (!key.startsWith('f:') || isOtherRouting) return []
    if (key !== 'f:conditions' || Object.keys(tree).length === 0) return [[key.slice(2), tree]]
    return Object.keys(tree).filter((item) => item.startsWith('k:')).map((item) =>
      [`${CONDITION}${ownString(parseObject(item.slice(2)) ?? {}, 'type')}`, ownObject(tree, item)] as const)
  }))
}

function valueAt (object: JsonObject, part: string): unknown {
  const status = ownObject(object, 'status')
  if (!part.startsWith(CONDITION)) return own(status, part)
  return ownObjects(status, 'conditions').find(({ type }) => `${CONDITION}${String(type)}` === part)
}

/** The leaves of a value that the tree has and no other one does; undefined without any. */
function solelyOwned (value: unknown, tree: JsonObject, rivals: readonly JsonObject[]): unknown {
  const keys = Object.keys(tree).filter((key) => key.startsWith('f:'))
  if (keys.length === 0) return rivals.length > 0 ? undefined : value
  if (!isJsonObject(value)) return undefined
  const owned = keys.flatMap((key) => {
    const below = rivals.flatMap((rival) => Object.hasOwn(rival, key) ? [ownObject(rival, key)] : [])
    const found = solelyOwned(own(value, key.slice(2)), ownObject(tree, key), below)
    return found === undefined ? [] : [[key.slice(2), found] as const]
  })
  return owned.length === 0 ? undefined : Object.fromEntries(owned)
}

function fromParts (parts: JsonObject): OwnStatus {
  const entries = Object.entries(parts)
  const conditions = entries.filter(([part]) => part.startsWith(CONDITION))
    .map(([part, value]) => ({ ...(value as object), type: part.slice(CONDITION.length) }))
  return {
    ...Object.fromEntries(entries.filter(([part]) => !part.startsWith(CONDITION))),
    conditions: conditions as Condition[] // incomplete, as this program owns only so much of them
  }
}

function namesOf ({ conditions, ...fields }: OwnStatus): string[] {
  return [...Object.keys(fields), ...conditions.map(({ type }) => `${CONDITION}${type}`)]
}

function onlyParts<T extends OwnStatus> (status: T, has: (part: string) => boolean): T {
  const { conditions, ...fields } = status
  const kept = Object.entries(fields).filter(([field]) => has(field))
  const own = conditions.filter(({ type }) => has(`${CONDITION}${type}`))
  return { ...Object.fromEntries(kept), conditions: own } as OwnStatus as T // the fields of a status are optional
}

/** The fields that the definition has. A list is kept or left out whole. */
function servedPart (value: object, served: ServedFields, at: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).flatMap(([key, field]: [string, unknown]) => {
    const path = [...at, key]
    if (!served.has(...path)) return key === 'conditions' ? [[key, []]] : []
    if (!isJsonObject(field)) return [[key, field]]
    const part = servedPart(field, served, path)
    return Object.keys(part).length === 0 ? [] : [[key, part]]
  }))
}
