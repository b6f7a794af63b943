import { objectTitle } from './local-object.ts'
import type { Position } from './read-manifests.ts'
import type { GivenObject } from './given-object.ts'
import type { Reviewed } from './review-objects.ts'

export type ReviewedObject = Reviewed<GivenObject>

/** One thing that people should know of an object, and where it stands. */
export interface Diagnostic {
  readonly level: 'error' | 'warning'
  /** The fault's code; `WARNING` for a warning. */
  readonly code: string
  /** Field path; empty for the object as a whole. */
  readonly field: string
  /** One line. */
  readonly message: string
  /** How the object is called. */
  readonly object: string
  readonly file: string
  readonly position: Position
}

/** The refusals of an object, then its warnings. */
export function findingsOf ({ given, faults, warnings }: ReviewedObject): Diagnostic[] {
  const [object, file] = [objectTitle(given), given.file]
  return [
    ...faults.map(({ code, field, message }) => ({
      level: 'error' as const,
      code,
      field,
      message,
      object,
      file,
      position: given.positionOf(field)
    })),
    ...warnings.map((message) => {
      const field = fieldNamedIn(message)
      return {
        level: 'warning' as const,
        code: 'WARNING',
        field,
        message,
        object,
        file,
        position: field === '' ? given.position : given.positionOf(field)
      }
    })
  ]
}

/**
 * A warning has no field of its own, but may begin with one, as in `spec.resolvedRuntimeConfig is written by admission
 * alone`.
 */
function fieldNamedIn (warning: string): string {
  return (
    /^(?:not caused by this change, but to be mended: )?((?:spec|metadata)\.[\w.[\]/-]*\w\]?)/.exec(warning)?.[1] ?? ''
  )
}
