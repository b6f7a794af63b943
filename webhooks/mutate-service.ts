import { ADMIT, type Verdict } from '../src/admission/verdict.ts'
import type { PatchOperation } from '../src/api/admission-review.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { missingConfigWarning } from '../src/core/rules/service-faults.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { assessService, type Assessment } from '../src/core/settings/assess.ts'
import type { World } from '../src/core/world.ts'
import { sameJson } from '../src/platform/json.ts'
import { readReviewedService, waitForConfigOf } from './service-change.ts'
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
      if (change.kind !== 'change') return ADMIT
      const assessment = assessService(change.service, world.configs)
      const isMissing = assessment.config === undefined
      const warnings = [
        ...(blockIsSupplied(assessment, change.old?.block) ? [SUPPLIED_BLOCK] : []),
        ...(isMissing && policy.missingConfig === 'warn' ? [missingConfigWarning(change.service)] : [])
      ]
      const result = { warnings, audit: serviceAudit(assessment) }
      const [first, ...more] = blockPatch(assessment)
      return first === undefined
        ? { kind: 'admit', ...result }
        : { kind: 'patch', operations: [first, ...more], ...result }
    }
  }
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
