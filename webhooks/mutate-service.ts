import { ADMIT, type Verdict } from '../src/admission/verdict.ts'
import type { PatchOperation } from '../src/api/admission-review.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { createdAt } from '../src/api/object-meta.ts'
import { missingConfigWarning } from '../src/core/rules/service-faults.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { assessService, type Assessment } from '../src/core/settings/assess.ts'
import type { Service } from '../src/core/settings/service.ts'
import type { World } from '../src/core/world.ts'
import { own, ownObject, sameJson } from '../src/platform/json.ts'
import { readReviewedService, waitForConfigOf, type ReviewedService } from './service-change.ts'
import { serviceAudit } from './verdicts.ts'
import { type Webhook, resourceOf } from './webhook.ts'

/** Writes the resolved block. Never refuses: the validating webhook judges the final state. */
export function mutateService (world: World, policy: Pick<ServicePolicy, 'missingConfig'>): Webhook {
  return {
    name: 'mutate-aimservices',
    path: '/mutate/aimservices',
    type: 'mutating',
    resource: resourceOf(AIM_SERVICE),
    registrations: [
      { name: 'mutate-aimservices.aim.silogen.ai', operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    waitForConfig: (request, signal) => waitForConfigOf(request, world, signal),
    decide: (request): Verdict => {
      const change = readReviewedService(request)
      if (change.kind === 'deleting') return restored(change)
      if (change.kind !== 'change') return ADMIT
      const service = request.operation === 'CREATE' ? withoutCreationTime(change.service) : change.service
      const assessment = assessService(service, world, change.old)
      const isMissing = assessment.config === undefined
      const warnings = [
        ...(blockIsSupplied(assessment, change.old?.block) ? [SUPPLIED_BLOCK] : []),
        ...(isMissing && policy.missingConfig === 'warn' ? [missingConfigWarning(change.service)] : [])
      ]
      const result = { warnings, audit: serviceAudit(assessment) }
      return patched(blockPatch(assessment), result)
    }
  }
}

/** Server-side apply sends the time that its user wrote; the API server replaces it after mutating admission. */
function withoutCreationTime (service: Service): Service {
  const { object } = service
  if (createdAt(object) === '') return service
  return { ...service, object: { ...object, metadata: { ...ownObject(object, 'metadata'), creationTimestamp: null } } }
}

/**
 * Puts the stored block of a service that is being deleted back: it keeps the path that it holds, and gets no other.
 */
function restored ({ object, oldObject }: Extract<ReviewedService, { kind: 'deleting' }>): Verdict {
  const [given, stored] = [object, oldObject].map((each) => own(ownObject(each, 'spec'), 'resolvedRuntimeConfig'))
  const isUnchanged = stored === undefined ? given === undefined : sameJson(stored, given)
  const path = '/spec/resolvedRuntimeConfig'
  return patched(
    isUnchanged ? [] : [stored === undefined ? { op: 'remove', path } : { op: 'add', path, value: stored }],
    NO_REMARKS
  )
}

const NO_REMARKS = { warnings: [], audit: {} }

function patched ([first, ...more]: readonly PatchOperation[], result: Pick<Verdict, 'warnings' | 'audit'>): Verdict {
  return first === undefined ? { kind: 'admit', ...result } : { kind: 'patch', operations: [first, ...more], ...result }
}

/** The operations that are missing between the service and the block. `/spec` exists: otherwise it is malformed. */
function blockPatch ({ service, block }: Assessment): PatchOperation[] {
  const operations: PatchOperation[] = []
  if (service.givenConfigName === undefined) {
    operations.push({ op: 'add', path: '/spec/runtimeConfigName', value: service.configName })
  }
  if (block === undefined && service.block !== undefined) {
    operations.push({ op: 'remove', path: '/spec/resolvedRuntimeConfig' })
  }
  if (block !== undefined && !sameJson(block, service.block)) {
    operations.push({ op: 'add', path: '/spec/resolvedRuntimeConfig', value: block })
  }
  return operations
}

/** Whether the user wrote the block: it equals neither the stored block nor what admission writes. */
function blockIsSupplied ({ service, block }: Assessment, stored: unknown): boolean {
  return service.block !== undefined && !sameJson(block, service.block) && !sameJson(stored, service.block)
}

const SUPPLIED_BLOCK = 'spec.resolvedRuntimeConfig is written by admission only, so the given value was replaced; ' +
  'remove it from the manifest'
