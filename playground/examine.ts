import { newAdmissionEngine } from '../webhooks/engine.ts'
import { diagnosticsOf, type Diagnostic, type ReviewedObject } from '../src/offline/diagnostics.ts'
import { reviewObjects } from '../src/offline/review-objects.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { explainService, type Explanation } from '../src/core/settings/explain.ts'
import { readService } from '../src/core/settings/service.ts'
import { readLocalObjects } from '../src/offline/local-object.ts'
import type { Position } from '../src/offline/read-manifests.ts'
import { TEXT_NAMES, type TextName, type Texts } from './texts.ts'

/** A message and the place it belongs to. */
export interface Remark {
  readonly level: 'error' | 'warning'
  /** Field path; empty where there is none. */
  readonly field: string
  readonly message: string
  readonly text: TextName
  readonly position: Position
}

/** What came of one object. */
export interface ExaminedObject {
  readonly outcome: ReviewedObject
  readonly remarks: readonly Remark[]
  /** Of a service that can be read. */
  readonly explanation: Explanation | undefined
}

export interface Examination {
  readonly objects: readonly ExaminedObject[]
  /** What in the texts is no object. */
  readonly faults: readonly Remark[]
}

/** Admits the objects of the texts by the webhooks themselves, as if they came to an empty cluster. Pure. */
export function examine (texts: Texts): Examination {
  const read = TEXT_NAMES.map((text) => ({ text, ...readLocalObjects(texts[text], text) }))
  const admission = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  const objects = reviewObjects(read.flatMap(({ objects }) => objects), admission).map((outcome): ExaminedObject => {
    const service =
      outcome.given.kind === AIM_SERVICE ? readService(outcome.given.object, outcome.given.key.namespace) : undefined
    return {
      outcome,
      remarks: diagnosticsOf(outcome).map(remark),
      explanation: service?.kind === 'service' ? explainService(service, admission.configs) : undefined
    }
  })
  const faults = read.flatMap(({ text, faults }) =>
    faults.map(({ position, reason }) => ({ level: 'error' as const, field: '', message: reason, text, position }))
  )
  return { objects, faults }
}

function remark ({ level, field, message, file, position }: Diagnostic): Remark {
  return { level, field, message, text: file === 'services' ? 'services' : 'configs', position }
}
