import { ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import type { GetResult, ClusterReader } from './cluster-reader.ts'
import { differences, differenceText } from './differences.ts'
import type { CheckResult } from './check-result.ts'

const CHECK = 'definitions'
const MEND = 'aim-admission manifests crds | kubectl apply --server-side --force-conflicts -f -'

/** Whether the CustomResourceDefinitions are there, served, and those of this version of the program. */
export async function checkDefinitions (wanted: readonly JsonObject[], cluster: ClusterReader): Promise<CheckResult[]> {
  return await Promise.all(wanted.map(async (definition) => {
    const name = ownString(ownObject(definition, 'metadata'), 'name')
    return definitionFinding(
      definition,
      await cluster.get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`)
    )
  }))
}

/** Pure. */
export function definitionFinding (wanted: JsonObject, live: GetResult): CheckResult {
  const subject = `CustomResourceDefinition ${ownString(ownObject(wanted, 'metadata'), 'name')}`
  if (live.kind === 'refused') return { check: CHECK, kind: 'unknown', subject, what: live.why }
  const wrong =
    live.kind === 'missing' ? 'is missing, so that no such object can be stored' : definitionFault(wanted, live.object)
  return wrong === undefined
    ? { check: CHECK, kind: 'well', subject, what: 'is served, as this version of the program has it' }
    : { check: CHECK, kind: 'problem', subject, what: wrong, mend: MEND }
}

function definitionFault (wanted: JsonObject, live: JsonObject): string | undefined {
  const [first, ...more] = differences(
    { ...ownObject(wanted, 'spec'), conversion: { strategy: 'None' } },
    ownObject(live, 'spec')
  )
  if (first !== undefined) { return `is another one than this version of the program has: ${differenceText(first)}${more.length === 0 ? '' : `, and ${more.length} more`}` }
  return isEstablished(live) ? undefined : 'is not established'
}

function isEstablished (live: JsonObject): boolean {
  return ownObjects(ownObject(live, 'status'), 'conditions').some(
    ({ type, status }) => type === 'Established' && status === 'True'
  )
}
