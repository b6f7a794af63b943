import { KINDS } from '../../../api/kinds.ts'
import { GROUP } from '../../../api/meta.ts'
import { ownObject, ownObjects, ownString, ownStrings, type JsonObject } from '../../../platform/json.ts'
import { webhooksOf } from './check-registration.ts'
import type { GetResult, ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './check-result.ts'

const CHECK = 'other-webhooks'

/**
 * Which other webhooks the API server asks about our kinds: whoever wonders why an object is changed or refused looks
 * there first.
 */
export async function checkOtherWebhooks (ours: string, cluster: ClusterReader): Promise<CheckResult[]> {
  const kinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const
  return (await Promise.all(kinds.map(async (kind) =>
    otherWebhookFindings(kind, await cluster.get(`/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s`), ours)))).flat()
}

/** Pure. */
export function otherWebhookFindings (kind: string, list: GetResult, ours: string): CheckResult[] {
  if (list.kind !== 'found') {
    return [
      {
        check: CHECK,
        kind: 'unknown',
        subject: `every ${kind}`,
        what: list.kind === 'refused' ? list.why : 'there is no such kind'
      }
    ]
  }
  const others = ownObjects(list.object, 'items').filter((item) => nameOf(item) !== ours)
  const found = others.flatMap((configuration) => webhooksOf(configuration).filter(concernsUs).map((webhook): CheckResult => ({
    check: CHECK,
    kind: 'note',
    subject: `${kind} ${nameOf(configuration)}, ${ownString(webhook, 'name')}`,
    what: `is asked about these kinds too, with failurePolicy ${ownString(webhook, 'failurePolicy')}`
  })))
  return found.length > 0
    ? found
    : [{ check: CHECK, kind: 'well', subject: `every other ${kind}`, what: 'leaves these kinds alone' }]
}

function nameOf (configuration: JsonObject): string {
  return ownString(ownObject(configuration, 'metadata'), 'name')
}

/**
 * Whether a rule of the webhook covers one of our kinds. Source: admissionregistration.k8s.io/v1, RuleWithOperations.
 */
function concernsUs (webhook: JsonObject): boolean {
  return ownObjects(webhook, 'rules').some((rule) =>
    includesOne(ownStrings(rule, 'apiGroups'), ['*', GROUP]) && includesOne(ownStrings(rule, 'resources'), ['*', '*/*', ...KINDS.map(({ plural }) => plural)]))
}

function includesOne (list: readonly string[], wanted: readonly string[]): boolean {
  return list.some((item) => wanted.includes(item))
}
