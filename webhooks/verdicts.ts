import type { AuditAnnotations, Verdict } from '../src/admission/verdict.ts'
import type { Fault } from '../src/core/rules/faults.ts'
import type { Assessment } from '../src/core/settings/assess.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'
import { configTitle, type UsedConfig } from '../src/core/settings/runtime-config.ts'

/** Refuses if there are faults, which replace the warnings. Without faults it admits. */
export function verdictOf (
  faults: readonly Fault[],
  { warnings, audit }: { readonly warnings: readonly string[], readonly audit: AuditAnnotations }
): Verdict {
  const [first, ...more] = faults
  if (first === undefined) return { kind: 'admit', warnings, audit }
  const codes = [...new Set(faults.map(({ code }) => code))].join(',')
  return { kind: 'deny', faults: [first, ...more], warnings: [], audit: { ...audit, faults: codes } }
}

/** Refuses an object that violates its schema, in case the API server's definition allows it. */
export function refuseMalformed ({ field, expected }: Malformed): Verdict {
  const message = `${field} is not ${expected}; see the allowed type with kubectl explain`
  return verdictOf([{ code: 'AIM-OBJECT-MALFORMED', field, message }], { warnings: [], audit: {} })
}

/** For the audit log: the configuration of a service and its path. The API server prefixes keys with the webhook. */
export function serviceAudit ({ config, block }: Assessment): AuditAnnotations {
  if (config === undefined) return { config: 'missing' }
  return { ...configAudit(config), ...(block?.routing.path !== undefined && { path: block.routing.path }) }
}

/** For the audit log: the configuration in the version of the request. */
export function configAudit (config: UsedConfig): AuditAnnotations {
  return { config: configTitle(config), hash: config.hash }
}
