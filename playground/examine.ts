import { newAdmission } from '../src/review/admission.ts'
import { findingsOf } from '../src/review/findings.ts'
import type { Finding, Outcome } from '../src/review/findings.ts'
import { reviewObjects } from '../src/review/review-objects.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { explainService } from '../src/core/explain-service.ts'
import type { Explanation } from '../src/core/explain-service.ts'
import { readService } from '../src/core/service.ts'
import { localObject } from '../src/local/local-object.ts'
import { readManifests } from '../src/local/read-manifests.ts'
import type { Position } from '../src/local/read-manifests.ts'
import { TEXT_NAMES } from './texts.ts'
import type { TextName, Texts } from './texts.ts'

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
  readonly outcome: Outcome
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
  const read = TEXT_NAMES.map((text) => ({ text, ...readManifests(texts[text]) }))
  const given = read.flatMap(({ text, manifests }) => manifests.flatMap(({ object, position, positionOf }) => {
    const local = localObject(object)
    return local === undefined ? [] : [{ ...local, file: text, position, positionOf }]
  }))
  const admission = newAdmission({ missingConfig: 'warn', missingBlock: 'refuse' })
  const objects = reviewObjects(given, admission).map((outcome): ExaminedObject => {
    const service = outcome.given.kind === AIM_SERVICE ? readService(outcome.given.object, outcome.given.key.namespace) : undefined
    return {
      outcome,
      remarks: findingsOf(outcome).map(remark),
      explanation: service?.kind === 'service' ? explainService(service, admission.configs) : undefined
    }
  })
  const faults = read.flatMap(({ text, faults }) => faults.map(({ position, reason }) => ({ level: 'error' as const, field: '', message: reason, text, position })))
  return { objects, faults }
}

function remark ({ level, field, message, file, position }: Finding): Remark {
  return { level, field, message, text: file === 'services' ? 'services' : 'configs', position }
}
