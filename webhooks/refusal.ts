import type { AuditAnnotations, Verdict } from '../src/admission/verdict.ts'
import type { Fault } from '../src/core/rules/faults.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'
import { faultAudit } from './audit.ts'

/**
 * What a judgement has to tell beside its faults: warnings for the user, and what the audit log is to hold beside the
 * faults' codes.
 */
interface Told { readonly warnings?: readonly string[], readonly audit?: AuditAnnotations }

/** Refuses where there are faults, else admits with the warnings. */
export function judged (faults: readonly Fault[], { warnings = [], audit }: Told = {}): Verdict {
  const [first, ...more] = faults
  const answer = { warnings, audit: { ...audit, ...faultAudit(faults) } }
  return first === undefined ? { kind: 'admit', ...answer } : { kind: 'deny', faults: [first, ...more], ...answer }
}

/** Refuses an object that the API server's schema would not have let through. */
export function refuseMalformed ({ field, expected }: Malformed): Verdict {
  return judged([
    {
      code: 'AIM-OBJECT-MALFORMED',
      field,
      message: `${field} is not ${expected}; kubectl explain shows what the field takes`
    }
  ])
}
