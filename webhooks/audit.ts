import type { AuditAnnotations } from '../src/admission/verdict.ts'
import type { Assessment } from '../src/core/settings/assess.ts'
import type { Fault } from '../src/core/rules/faults.ts'
import { configTitle, type RuntimeConfig } from '../src/core/settings/runtime-config.ts'

/**
 * For the audit log: the configuration a service came out with, and its path where there is one. The API server puts
 * the webhook's name before each key.
 */
export function serviceAudit ({ config, block }: Assessment): AuditAnnotations {
  if (config === undefined) return { config: 'missing' }
  return { ...configAudit(config), ...(block?.routing.path !== undefined && { path: block.routing.path }) }
}

/** For the audit log: the configuration itself, in the version that was sent. */
export function configAudit (config: RuntimeConfig): AuditAnnotations {
  return { config: configTitle(config), hash: config.hash }
}

/** For the audit log: the code of each fault once; nothing where there is none. */
export function faultAudit (faults: readonly Fault[]): AuditAnnotations {
  return faults.length === 0 ? {} : { faults: [...new Set(faults.map(({ code }) => code))].join(',') }
}
