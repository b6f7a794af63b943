import { AIM_SERVICE } from '../src/api/kinds.ts'
import { ADMIT } from '../src/admission/verdict.ts'
import type { World } from '../src/core/ports.ts'
import { judgeService, type ServicePolicy } from '../src/core/rules/service.ts'
import { serviceAudit } from './audit.ts'
import { changedService, configArrival } from './changed-service.ts'
import { judged, refuseMalformed } from './refusal.ts'
import { type Webhook, resourceOf } from './webhook.ts'

/** Judges the final state of a service: every fault that the request causes refuses it, all at once. */
export function validateService (world: World, policy: ServicePolicy): Webhook {
  return {
    name: 'validate-aimservices',
    path: '/validate/aimservices',
    type: 'validating',
    resource: resourceOf(AIM_SERVICE),
    registrations: [
      { name: 'validate-aimservices.aim.silogen.ai', operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    arrival: (request, signal) => configArrival(world, request, signal),
    decide: (request) => {
      const change = changedService(request)
      if (change.kind === 'malformed') return refuseMalformed(change)
      if (change.kind === 'nothing-to-judge') return ADMIT
      const { assessment, faults, warnings } = judgeService(change, world, policy)
      // the warnings tell of what a refusal keeps from happening
      return judged(faults, { warnings: faults.length > 0 ? [] : warnings, audit: serviceAudit(assessment) })
    }
  }
}
