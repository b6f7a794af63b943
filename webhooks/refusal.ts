import type { Verdict } from '../src/admission/verdict.ts'
import type { Fault } from '../src/core/faults.ts'
import type { Malformed } from '../src/core/read-fields.ts'

/** Refuses where there are faults, else admits with the warnings. */
export function judged ([first, ...more]: readonly Fault[], warnings: readonly string[]): Verdict {
  return first === undefined ? { kind: 'admit', warnings } : { kind: 'deny', faults: [first, ...more], warnings }
}

/** Refuses an object that the API server's schema would not have let through. */
export function refuseMalformed ({ field, expected }: Malformed): Verdict {
  return judged([{ code: 'AIM-OBJECT-MALFORMED', field, message: `${field} is not ${expected}; kubectl explain shows what the field takes` }], [])
}
