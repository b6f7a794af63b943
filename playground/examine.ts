import { pathIndexOf } from '../src/cache/path-claims.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { predictChanges, type Prediction } from '../src/core/rules/what-if.ts'
import { explainService, type Explanation } from '../src/core/settings/explain.ts'
import { readService } from '../src/core/settings/service.ts'
import { readLocalObjects } from '../src/offline/local-object.ts'
import type { Position } from '../src/offline/read-manifests.ts'
import {
  diagnosticsOf, OFFLINE_DEFINITION, reviewObjects, type Diagnostic, type ReviewedObject
} from '../src/offline/review-objects.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../webhooks/engine.ts'
import { TEXT_NAMES, type TextName, type Texts } from './texts.ts'

/** A message and its place in a text. */
export interface Remark extends Pick<Diagnostic, 'level' | 'code' | 'field' | 'message'> {
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
  return admit(texts).examined
}

function admit (texts: Texts): { readonly examined: ExaminedTexts, readonly engine: AdmissionEngine } {
  const read = TEXT_NAMES.map((text) => ({ text, ...readLocalObjects(texts[text], text) }))
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, { served: OFFLINE_DEFINITION })
  const objects = reviewObjects(read.flatMap((each) => each.objects), engine).map((outcome): ExaminedObject => {
    const { kind, object, key } = outcome.given
    const service = kind === AIM_SERVICE ? readService(object, key.namespace) : undefined
    return {
      outcome,
      remarks: diagnosticsOf(outcome).map(({ file, ...diagnostic }) =>
        ({ ...diagnostic, text: file === 'services' ? 'services' : 'configs' })),
      explanation: service?.kind === 'service' ? explainService(service, engine.world) : undefined
    }
  })
  const faults = read.flatMap(({ text, faults }) => faults.map(({ position, reason }): Remark =>
    ({ level: 'error', code: 'YAML', field: '', message: reason, text, position })))
  return { examined: { objects, faults }, engine }
}

/** What changed configurations do to the services; undefined if one of them is refused. */
export interface WhatIf {
  readonly predictions: readonly Prediction[] | undefined
  /** Services that are refused with the configurations before. */
  readonly leftOut: number
}

/** Compares the services under the configurations before with those under the present ones. Pure. */
export function whatIf (configsBefore: string, { configs, services }: Texts): WhatIf {
  const before = admit({ configs: configsBefore, services })
  const after = admit({ configs, services: '' })
  const leftOut = before.examined.objects.filter(({ outcome: { given, faults } }) =>
    given.kind === AIM_SERVICE && faults.length > 0).length
  const isRefused = after.examined.faults.length > 0 ||
    after.examined.objects.some(({ outcome }) => outcome.faults.length > 0)
  const world = { ...before.engine.world, services: before.engine.services, indexPaths: pathIndexOf }
  return { predictions: isRefused ? undefined : predictChanges(after.engine.configs, world), leftOut }
}
