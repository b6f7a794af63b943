import { ADMIT, type Verdict } from '../src/admission/verdict.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { PREFIX } from '../src/api/meta.ts'
import { judgeService, type ServicePolicy } from '../src/core/rules/service.ts'
import type { World } from '../src/core/world.ts'
import { readReviewedService, waitForConfigOf } from './service-change.ts'
import { refuseMalformed, serviceAudit, verdictOf } from './verdicts.ts'
import { type Webhook, resourceOf } from './webhook.ts'

/** Judges the final state of a service, and reports every fault that the request causes. */
export function validateService (world: World, policy: ServicePolicy): Webhook {
  return {
    name: 'validate-aimservices',
    path: '/validate/aimservices',
    type: 'validating',
    resource: resourceOf(AIM_SERVICE),
    registrations: [
      { name: `validate-aimservices.${PREFIX}`, operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    waitForConfig: (request, signal) => waitForConfigOf(request, world, signal),
    decide: (request): Verdict => {
      const change = readReviewedService(request)
      if (change.kind === 'malformed') return refuseMalformed(change)
      if (change.kind !== 'change') return ADMIT
      const { assessment, faults, warnings } = judgeService(change, world, policy)
      return verdictOf(faults, { warnings, audit: serviceAudit(assessment) })
    }
  }
}
