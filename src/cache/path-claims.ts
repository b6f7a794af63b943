import type { ParentReference } from '../api/runtime-config.ts'
import { isOlder } from '../core/settings/service-path.ts'
import type { HeldPath, PathClaim, PathIndex } from '../core/world.ts'

/** Most segments end one path: `children` is undefined and `held` has one claim. */
interface Segment { children: Map<string, Segment> | undefined, held: readonly HeldPath[] }

/** The paths that the known services hold, as one tree of segments for each gateway. */
export class PathClaims implements PathIndex {
  readonly #gateways = new Map<string, Segment>()

  add (claim: HeldPath): void {
    const key = gatewayKey(claim.gateway)
    let at = this.#gateways.get(key) ?? newSegment()
    this.#gateways.set(key, at)
    for (const name of segmentsOf(claim.path)) {
      at.children ??= new Map()
      const next = at.children.get(name) ?? newSegment()
      at.children.set(name, next)
      at = next
    }
    at.held = at.held.length === 0 ? [claim] : [...at.held, claim] // V8 reserves 16 slots for a spread list
  }

  remove (claim: HeldPath): void {
    const root = this.#gateways.get(gatewayKey(claim.gateway))
    if (root !== undefined && prune(root, segmentsOf(claim.path), claim)) {
      this.#gateways.delete(gatewayKey(claim.gateway))
    }
  }

  holders (claim: PathClaim): readonly HeldPath[] {
    return this.#along(claim).at(-1)?.filter((held) => held.path === claim.path) ?? []
  }

  covering (claim: PathClaim): PathClaim | undefined {
    return this.#along(claim).flat().findLast((held) => held.path !== claim.path)
  }

  covered (claim: PathClaim): PathClaim | undefined {
    let at = this.#gateways.get(gatewayKey(claim.gateway))
    for (const name of segmentsOf(claim.path)) at = at?.children?.get(name)
    if (at === undefined) return undefined
    for (const below of descendants(at)) {
      const [first] = overlapping(below, claim)
      if (first !== undefined) return first
    }
    return undefined
  }

  /** The overlapping claims of other services at each existing segment from the root to the claimed path. */
  #along (claim: PathClaim): HeldPath[][] {
    let at = this.#gateways.get(gatewayKey(claim.gateway))
    const found: HeldPath[][] = []
    for (const name of [undefined, ...segmentsOf(claim.path)]) {
      if (name !== undefined) at = at?.children?.get(name)
      if (at === undefined) break
      found.push(overlapping(at, claim))
    }
    return found
  }
}

/** An index of these paths alone. */
export function pathIndexOf (paths: readonly HeldPath[]): PathIndex {
  const claims = new PathClaims()
  for (const held of paths) claims.add(held)
  return claims
}

function overlapping ({ held }: Segment, claim: PathClaim): HeldPath[] {
  const others = held.filter(({ service, gateway }) =>
    (service.name !== claim.service.name || service.namespace !== claim.service.namespace) &&
    overlaps(gateway.sectionName, claim.gateway.sectionName) && overlaps(gateway.port, claim.gateway.port))
  return others.length < 2 ? others : others.sort((a, b) => isOlder(a, b) ? -1 : 1)
}

/** An unset value overlaps every value. */
function overlaps<T> (a: T | undefined, b: T | undefined): boolean {
  return a === undefined || b === undefined || a === b
}

/**
 * The parts of a gateway that must be equal for claims to overlap. Source: Gateway API v1, ParentReference defaults.
 */
function gatewayKey (
  { group = 'gateway.networking.k8s.io', kind = 'Gateway', namespace = '', name }: ParentReference
): string {
  return `${group}/${kind}/${namespace}/${name}`
}

function segmentsOf (path: string): string[] {
  return path.split('/').filter((segment) => segment !== '')
}

function newSegment (): Segment {
  return { children: undefined, held: NONE }
}

const NONE: readonly HeldPath[] = []

function * descendants (segment: Segment): Generator<Segment> {
  for (const child of segment.children?.values() ?? []) {
    yield child
    yield * descendants(child)
  }
}

/** Removes the claim; true if the segment is now empty. The length of a path bounds the depth. */
function prune (segment: Segment, [name, ...rest]: string[], claim: HeldPath): boolean {
  const child = name === undefined ? undefined : segment.children?.get(name)
  if (name === undefined) segment.held = segment.held.filter((held) => held !== claim)
  else if (child !== undefined && prune(child, rest, claim)) segment.children?.delete(name)
  if (segment.children?.size === 0) segment.children = undefined
  return segment.held.length === 0 && segment.children === undefined
}
