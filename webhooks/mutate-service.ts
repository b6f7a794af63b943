import type { PatchOperation } from '../src/api/admission-review.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { ADMIT, type AuditAnnotations, type Verdict } from '../src/admission/verdict.ts'
import { assessService, type Assessment } from '../src/core/settings/assess.ts'
import { sameJson } from '../src/platform/json.ts'
import type { World } from '../src/core/ports.ts'
import { missingConfigWarning } from '../src/core/rules/service-faults.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { serviceAudit } from './audit.ts'
import { changedService, configArrival } from './changed-service.ts'
import { type Webhook, resourceOf } from './webhook.ts'

/**
 * Writes the resolved block. Never refuses: what is wrong with the final state is for the validating webhook to say.
 */
export function mutateService (world: World, { missingConfig }: Pick<ServicePolicy, 'missingConfig'>): Webhook {
  return {
    name: 'mutate-aimservices',
    path: '/mutate/aimservices',
    type: 'mutating',
    resource: resourceOf(AIM_SERVICE),
    registrations: [
      { name: 'mutate-aimservices.aim.silogen.ai', operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    arrival: (request, signal) => configArrival(world, request, signal),
    decide: (request) => {
      const change = changedService(request)
      if (change.kind !== 'change') return ADMIT
      const assessment = assessService(change.service, world.configs)
      const warnings = [
        ...suppliedWarnings(assessment, change.old?.block),
        ...(assessment.config === undefined && missingConfig === 'warn' ? [missingConfigWarning(change.service)] : [])
      ]
      return patched(blockPatch(assessment), { warnings, audit: serviceAudit(assessment) })
    }
  }
}

/**
 * The few operations that bring the service in line with the block; none where it already is. `/spec` exists: a service
 * without one is not read.
 */
function blockPatch ({ service, block }: Assessment): PatchOperation[] {
  const operations: PatchOperation[] = []
  if (service.givenConfigName === undefined) { operations.push({ op: 'add', path: '/spec/runtimeConfigName', value: service.configName }) }
  if (block === undefined && service.block !== undefined) { operations.push({ op: 'remove', path: '/spec/resolvedRuntimeConfig' }) }
  if (block !== undefined && !sameJson(block, service.block)) { operations.push({ op: 'add', path: '/spec/resolvedRuntimeConfig', value: block }) }
  return operations
}

/**
 * A block that the user wrote: on UPDATE one that is not the stored one. What admission would write anyway passes in
 * silence.
 */
function suppliedWarnings ({ service, block }: Assessment, stored: unknown): string[] {
  const isSupplied = service.block !== undefined && !sameJson(block, service.block) && !sameJson(stored, service.block)
  return isSupplied
    ? [
        'spec.resolvedRuntimeConfig is written by admission alone; what was given there has been replaced, so leave it out of the manifest'
      ]
    : []
}

function patched ([first, ...more]: readonly PatchOperation[], answer: { warnings: string[], audit: AuditAnnotations }): Verdict {
  return first === undefined ? { kind: 'admit', ...answer } : { kind: 'patch', operations: [first, ...more], ...answer }
}
