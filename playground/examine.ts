import { AIM_SERVICE } from '../src/api/kinds.ts'
import { explainService, type Explanation } from '../src/core/settings/explain.ts'
import { readService } from '../src/core/settings/service.ts'
import { diagnosticsOf, type ReviewedObject } from '../src/offline/diagnostics.ts'
import { readLocalObjects } from '../src/offline/local-object.ts'
import type { Position } from '../src/offline/read-manifests.ts'
import { OFFLINE_DEFINITION, reviewObjects } from '../src/offline/review-objects.ts'
import { newAdmissionEngine } from '../webhooks/engine.ts'

export const TEXT_NAMES = ['configs', 'services'] as const
export type TextName = typeof TEXT_NAMES[number]

/** The manifests in the two editors. */
export type Texts = Readonly<Record<TextName, string>>

/** A message and its place in a text. */
export interface Remark {
  readonly level: 'error' | 'warning'
  /** Field path; may be empty. */
  readonly field: string
  readonly message: string
  readonly text: TextName
  readonly position: Position
}

export interface ExaminedObject {
  readonly outcome: ReviewedObject
  readonly remarks: readonly Remark[]
  /** Undefined unless the object is a valid service. */
  readonly explanation: Explanation | undefined
}

export interface ExaminedTexts {
  readonly objects: readonly ExaminedObject[]
  /** Parts of the texts that are not valid objects. */
  readonly faults: readonly Remark[]
}

/** Reviews the objects of the texts as an empty cluster would. Pure. */
export function examine (texts: Texts): ExaminedTexts {
  const read = TEXT_NAMES.map((text) => ({ text, ...readLocalObjects(texts[text], text) }))
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, { served: OFFLINE_DEFINITION })
  const objects = reviewObjects(read.flatMap((each) => each.objects), engine).map((outcome): ExaminedObject => {
    const { kind, object, key } = outcome.given
    const service = kind === AIM_SERVICE ? readService(object, key.namespace) : undefined
    return {
      outcome,
      remarks: diagnosticsOf(outcome).map(({ level, field, message, file, position }) =>
        ({ level, field, message, text: file === 'services' ? 'services' : 'configs', position })),
      explanation: service?.kind === 'service' ? explainService(service, engine.world) : undefined
    }
  })
  const faults = read.flatMap(({ text, faults }) => faults.map(({ position, reason }): Remark =>
    ({ level: 'error', field: '', message: reason, text, position })))
  return { objects, faults }
}
