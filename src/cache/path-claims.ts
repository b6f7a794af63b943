import { GATEWAY_DEFAULTS } from '../api/kinds.ts'
import { keyText } from '../api/object-meta.ts'
import type { ParentReference } from '../api/runtime-config.ts'
import type { ObjectKey } from '../core/ports.ts'
import type { HeldPath, PathClaim, PathIndex, NamespaceScope } from '../core/world.ts'

/**
 * The paths that services hold; a service holds one at most. An update and the first result of a look-up take a few
 * steps for each segment of the path, whatever the number of claims.
 */
export class PathClaims implements PathIndex {
  /** Trees of path segments. A claim is in each tree that a look-up for overlapping listeners reads. */
  readonly #trees = new Map<string, Segment>()
  readonly heldBy: (service: ObjectKey) => HeldPath | undefined

  /** `heldBy`: from an index of services. */
  constructor (heldBy: PathClaims['heldBy'] = () => undefined) {
    this.heldBy = heldBy
  }

  add (claim: HeldPath): void {
    for (const key of treesHolding(claim.gateway)) {
      const root = this.#trees.get(key) ?? newSegment()
      this.#trees.set(key, root)
      insert(root, segmentsOf(claim.path), claim)
    }
  }

  /** Removes a claim that was added. */
  remove (claim: HeldPath): void {
    for (const key of treesHolding(claim.gateway)) {
      const root = this.#trees.get(key)
      if (root !== undefined && prune(root, segmentsOf(claim.path), claim)) this.#trees.delete(key)
    }
  }

  * holders (claim: PathClaim): Generator<HeldPath> {
    for (const root of this.#overlapping(claim)) {
      const segment = segmentAt(root, claim.path)
      if (segment !== undefined) yield * others(heldAt(segment), claim)
    }
  }

  * above (claim: PathClaim, scope: NamespaceScope): Generator<HeldPath> {
    for (const root of this.#overlapping(claim)) {
      let at: Segment | undefined = root
      for (const name of segmentsOf(claim.path)) {
        if (at === undefined) break
        for (const held of others(heldAt(at), claim)) {
          if (isRelative(held.service.namespace, claim, scope)) yield held
        }
        at = at.children?.get(name)
      }
    }
  }

  * below (claim: PathClaim, scope: NamespaceScope): Generator<HeldPath> {
    for (const root of this.#overlapping(claim)) {
      const segment = segmentAt(root, claim.path)
      for (const namespace of segment?.below?.keys() ?? []) {
        if (segment === undefined || !isRelative(namespace, claim, scope)) continue
        yield * others(descendants(segment, namespace), claim)
      }
    }
  }

  * #overlapping ({ gateway }: PathClaim): Generator<Segment> {
    for (const key of treesOverlapping(gateway)) {
      const root = this.#trees.get(key)
      if (root !== undefined) yield root
    }
  }
}

/** An index of these paths alone. */
export function pathIndexOf (paths: Iterable<HeldPath>): PathClaims {
  const claims = new PathClaims()
  for (const held of paths) claims.add(held)
  return claims
}

interface Segment {
  children: Map<string, Segment> | undefined
  /** Nearly every held path has one holder: the others, by service, only where listeners differ or replicas raced. */
  held: HeldPath | undefined
  otherHolders: Map<string, HeldPath> | undefined
  /** Namespace → names of the children at or below which it holds paths → the number of its paths there. */
  below: Map<string, Map<string, number>> | undefined
}

function newSegment (): Segment {
  return { children: undefined, held: undefined, otherHolders: undefined, below: undefined }
}

function insert (root: Segment, path: readonly string[], claim: HeldPath): void {
  let at = root
  for (const name of path) {
    at.below ??= new Map()
    const counts = at.below.get(claim.service.namespace) ?? new Map<string, number>()
    at.below.set(claim.service.namespace, counts.set(name, (counts.get(name) ?? 0) + 1))
    at.children ??= new Map()
    const next = at.children.get(name) ?? newSegment()
    at.children.set(name, next)
    at = next
  }
  if (at.held === undefined) at.held = claim
  else (at.otherHolders ??= new Map<string, HeldPath>()).set(keyText(claim.service), claim)
}

/** Removes the claim and reports whether the segment has become empty. The depth is bounded by the length of a path. */
function prune (segment: Segment, [name, ...rest]: readonly string[], claim: HeldPath): boolean {
  const child = name === undefined ? undefined : segment.children?.get(name)
  if (name === undefined) release(segment, claim)
  else if (child !== undefined) {
    if (prune(child, rest, claim)) segment.children?.delete(name)
    countDown(segment, claim.service.namespace, name)
  }
  if (segment.children?.size === 0) segment.children = undefined
  return segment.held === undefined && segment.children === undefined
}

function release (segment: Segment, claim: HeldPath): void {
  const key = keyText(claim.service)
  if (segment.held === undefined || keyText(segment.held.service) !== key) segment.otherHolders?.delete(key)
  else {
    const [next] = segment.otherHolders ?? []
    segment.held = next?.[1]
    if (next !== undefined) segment.otherHolders?.delete(next[0])
  }
  if (segment.otherHolders?.size === 0) segment.otherHolders = undefined
}

function countDown (segment: Segment, namespace: string, name: string): void {
  const { below } = segment
  const counts = below?.get(namespace)
  if (below === undefined || counts === undefined) return
  const left = (counts.get(name) ?? 0) - 1
  if (left > 0) counts.set(name, left)
  else counts.delete(name)
  if (counts.size === 0) below.delete(namespace)
  if (below.size === 0) segment.below = undefined
}

function segmentAt (root: Segment, path: string): Segment | undefined {
  let at: Segment | undefined = root
  for (const name of segmentsOf(path)) at = at?.children?.get(name)
  return at
}

function * heldAt ({ held, otherHolders }: Segment): Generator<HeldPath> {
  if (held !== undefined) yield held
  if (otherHolders !== undefined) yield * otherHolders.values()
}

/** What the namespace holds below the segment; follows only branches where it holds something. */
function * descendants ({ children, below }: Segment, namespace: string): Generator<HeldPath> {
  for (const name of below?.get(namespace)?.keys() ?? []) {
    const child = children?.get(name)
    if (child === undefined) continue
    for (const held of heldAt(child)) if (held.service.namespace === namespace) yield held
    yield * descendants(child, namespace)
  }
}

function * others (found: Iterable<HeldPath>, { service }: PathClaim): Generator<HeldPath> {
  for (const held of found) {
    if (held.service.name !== service.name || held.service.namespace !== service.namespace) yield held
  }
}

function isRelative (namespace: string, { service }: PathClaim, scope: NamespaceScope): boolean {
  return (namespace === service.namespace) === (scope === 'same namespace')
}

/**
 * Listeners of one gateway overlap unless both section names, or both ports, are set and differ. A claim is stored by
 * its own listeners and, where any is set, under the wildcards that a less specific look-up reads.
 */
function treesHolding (gateway: ParentReference): string[] {
  const { sectionName: section, port } = gateway
  const own = treeKey(gateway, [section ?? UNSET, port ?? UNSET])
  if (section === undefined && port === undefined) return [own]
  const wildcards = [[section ?? UNSET, ANY], [ANY, port ?? UNSET], [ANY, ANY]] as const
  const less = section === undefined ? [wildcards[0]] : port === undefined ? [wildcards[1]] : wildcards.slice(0, 2)
  return [own, ...[...less, wildcards[2]].map((listeners) => treeKey(gateway, listeners))]
}

/** The trees that together hold each overlapping claim once. */
function treesOverlapping (gateway: ParentReference): string[] {
  const { sectionName: section, port } = gateway
  const listeners: Listeners[] = [[UNSET, UNSET]]
  if (section === undefined && port === undefined) listeners.push([ANY, ANY])
  else if (port === undefined && section !== undefined) listeners.push([section, UNSET], [section, ANY], [UNSET, ANY])
  else if (section === undefined && port !== undefined) listeners.push([UNSET, port], [ANY, port], [ANY, UNSET])
  else if (section !== undefined && port !== undefined) listeners.push([section, port], [section, UNSET], [UNSET, port])
  return listeners.map((each) => treeKey(gateway, each))
}

type Listeners = readonly [section: string | null | true, port: number | null | true]
const UNSET = null
const ANY = true

/** References that differ in one of these fields never overlap. */
function treeKey (gateway: ParentReference, [section, port]: Listeners): string {
  const { group = GATEWAY_DEFAULTS.group, kind = GATEWAY_DEFAULTS.kind, namespace = '', name } = gateway
  return JSON.stringify([group, kind, namespace, name, section, port])
}

function segmentsOf (path: string): string[] {
  return path.split('/').filter((segment) => segment !== '')
}
