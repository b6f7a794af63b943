import { KINDS } from '../../../api/kinds.ts'
import { GROUP } from '../../../api/meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { ownObjects, ownString, ownStrings, type JsonObject } from '../../../platform/json.ts'
import { nameOf, webhooksOf } from './check-objects.ts'
import type { ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './format.ts'

/** Which other webhooks are called for our kinds: they can explain a change or a refusal. */
export async function checkOtherWebhooks (ours: string, cluster: ClusterReader): Promise<CheckResult[]> {
  const kinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const
  const results = await Promise.all(kinds.map(async (kind) => {
    const list = await cluster.read(`/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s`)
    return otherWebhookResults(kind, list, ours)
  }))
  return results.flat()
}

function otherWebhookResults (kind: string, list: ReadResult, ours: string): CheckResult[] {
  const check = 'other-webhooks'
  if (list.kind !== 'found') {
    const what = list.kind === 'failed' ? list.reason : 'this kind does not exist'
    return [{ check, kind: 'unknown', subject: `every ${kind}`, what }]
  }
  const others = ownObjects(list.object, 'items').filter((item) => nameOf(item) !== ours)
  const notes = others.flatMap((configuration) =>
    webhooksOf(configuration).filter(matchesOurKinds).map((webhook): CheckResult => ({
      check,
      kind: 'note',
      subject: `${kind} ${nameOf(configuration)}, ${ownString(webhook, 'name')}`,
      what: `is called for these kinds too, with failurePolicy ${ownString(webhook, 'failurePolicy')}`
    })))
  if (notes.length > 0) return notes
  return [{ check, kind: 'ok', subject: `every other ${kind}`, what: 'is not called for these kinds' }]
}

/** Source: admissionregistration.k8s.io/v1, RuleWithOperations. */
function matchesOurKinds (webhook: JsonObject): boolean {
  const resources = ['*', '*/*', ...KINDS.map(({ plural }) => plural)]
  return ownObjects(webhook, 'rules').some((rule) =>
    ownStrings(rule, 'apiGroups').some((group) => ['*', GROUP].includes(group)) &&
    ownStrings(rule, 'resources').some((resource) => resources.includes(resource)))
}
