import type { LocalObject } from './local-object.ts'
import type { Position } from './read-manifests.ts'

/** An object, and the place it comes from. */
export interface GivenObject extends LocalObject {
  /** As it was asked for; `stdin` for the standard input. */
  readonly file: string
  readonly position: Position
  /** Where a field of it stands, or the nearest field above it that is there. */
  readonly positionOf: (field: string) => Position
}
