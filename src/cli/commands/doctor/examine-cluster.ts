import { ownObject, ownString, type JsonObject } from '../../../platform/json.ts'
import { checkAccess } from './check-access.ts'
import { checkBypass } from './check-bypass.ts'
import { checkCertificate, type CertificateOptions } from './check-certificate.ts'
import { checkDefinitions } from './check-definitions.ts'
import { checkOtherWebhooks } from './check-other-webhooks.ts'
import { checkRegistration } from './check-registration.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { CHECKS, type CheckResult } from './check-result.ts'

/** What a cluster is compared with. */
export interface Examination {
  readonly cluster: ClusterReader
  readonly definitions: readonly JsonObject[]
  readonly registration: readonly JsonObject[]
  /** What tells of each bypass: a policy and its binding. */
  readonly bypass: readonly JsonObject[]
  readonly access: readonly JsonObject[]
  readonly certificate: Omit<CertificateOptions, 'cluster'>
  /** The commands that make the registration (with what tells of a bypass) and the rights anew. */
  readonly mend: { readonly registration: string, readonly access: string }
}

/**
 * Compares a cluster with what the program needs there, and changes nothing. In the order of the checks. Rejects where
 * the API server does not answer.
 */
export async function examineCluster ({ cluster, definitions, registration, bypass, access, certificate, mend }: Examination): Promise<CheckResult[]> {
  const ours = ownString(ownObject(registration[0] ?? {}, 'metadata'), 'name')
  const findings = (await Promise.all([
    checkDefinitions(definitions, cluster),
    checkRegistration(registration, { cluster, mend: mend.registration }),
    checkBypass(bypass, { cluster, mend: mend.registration }),
    checkCertificate(registration, { ...certificate, cluster }),
    checkAccess(access, { cluster, mend: mend.access }),
    checkOtherWebhooks(ours, cluster)
  ])).flat()
  return CHECKS.flatMap((check) => findings.filter((finding) => finding.check === check))
}
