import { oneLine } from '../platform/printable.ts'
import { objectTitle, type GivenObject } from './local-object.ts'
import type { Position } from './read-manifests.ts'
import type { Reviewed } from './review-objects.ts'

export type ReviewedObject = Reviewed<GivenObject>

/** One error or warning about an object, and its place in a file. */
export interface Diagnostic {
  readonly level: 'error' | 'warning'
  /** The code of the fault; `WARNING` for a warning. */
  readonly code: string
  /** Field path; empty for the object as a whole. */
  readonly field: string
  /** One line. */
  readonly message: string
  /** Title of the object. */
  readonly object: string
  readonly file: string
  readonly position: Position
}

/** The faults of an object, then its warnings. */
export function diagnosticsOf ({ given, faults, warnings }: ReviewedObject): Diagnostic[] {
  const [object, file] = [objectTitle(given), given.file]
  const errors = faults.map(({ code, field, message }): Diagnostic =>
    ({
      level: 'error',
      code,
      field: oneLine(field),
      message: oneLine(message),
      object,
      file,
      position: given.positionOf(field)
    }))
  const others = warnings.map((message): Diagnostic => {
    const field = leadingField(message)
    const position = field === '' ? given.position : given.positionOf(field)
    return { level: 'warning', code: 'WARNING', field, message, object, file, position }
  })
  return [...errors, ...others]
}

/** A warning has no field, but may start with one: `spec.resolvedRuntimeConfig is read-only`. Empty if it does not. */
function leadingField (warning: string): string {
  return /^(?:[^.:]+: )?((?:spec|metadata)\.[\w.[\]/-]*\w\]?)/.exec(warning)?.[1] ?? ''
}
