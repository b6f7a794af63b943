import { ownObject, ownString, type JsonObject } from '../../../platform/json.ts'
import { patchCommand, patchOperation, registrationPath } from './check-registration.ts'
import type { GetResult, ClusterReader } from './cluster-reader.ts'
import { differences, differenceText } from './differences.ts'
import type { CheckResult } from './check-result.ts'

const CHECK = 'bypass'

/**
 * Whether the policy that tells of each bypass, and its binding, are those that the program would print; `mend` makes
 * them where they are missing.
 */
export async function checkBypass (wanted: readonly JsonObject[], { cluster, mend }: { cluster: ClusterReader, mend: string }): Promise<CheckResult[]> {
  return await Promise.all(
    wanted.map(async (object) => bypassFinding(object, await cluster.get(registrationPath(object)), mend))
  )
}

/** Pure. */
export function bypassFinding (wanted: JsonObject, live: GetResult, mend: string): CheckResult {
  const subject = `${ownString(wanted, 'kind')} ${ownString(ownObject(wanted, 'metadata'), 'name')}`
  if (live.kind === 'refused') return { check: CHECK, kind: 'unknown', subject, what: live.why }
  const problem = (what: string, command: string): CheckResult => ({
    check: CHECK,
    kind: 'problem',
    subject,
    what,
    mend: command
  })
  if (live.kind === 'missing') { return problem('is missing, so a bypass is neither told to its user nor recorded in the audit log', mend) }
  const wrong = differences(withDefaults(ownObject(wanted, 'spec')), ownObject(live.object, 'spec'))
  return wrong.length === 0
    ? { check: CHECK, kind: 'well', subject, what: 'is as the program prints it' }
    : problem(wrong.map(differenceText).join('; '), patchCommand(wanted, wrong.map((difference) => patchOperation(['spec'], difference))))
}

/** With what the API server fills in. Source: admissionregistration.k8s.io/v1, defaults of MatchResources. */
function withDefaults (spec: JsonObject): JsonObject {
  if (!('matchConstraints' in spec)) return spec
  return {
    ...spec,
    matchConstraints: {
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      ...ownObject(spec, 'matchConstraints')
    }
  }
}
