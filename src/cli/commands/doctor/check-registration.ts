import jsonpatch from 'fast-json-patch'
import { isJsonObject, ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import { compare, patchCommand, titleOf, type LiveConfiguration } from './check-objects.ts'
import type { CheckResult } from './format.ts'
import { exemptBy, NAMESPACE_LABEL, type Fit } from './found-registration.ts'

interface RegistrationOptions extends Pick<Fit, 'responds' | 'caBundle' | 'exempt'> {
  /** The command that creates a missing configuration; undefined if it would register what does not respond. */
  readonly create: string | undefined
}

/**
 * Whether the webhook configurations are those that the program prints, except their caBundle: a result per webhook.
 * One patch, which keeps the caBundle, fixes all that is wrong with a configuration.
 */
export function checkRegistration (
  configurations: readonly LiveConfiguration[], options: RegistrationOptions
): CheckResult[] {
  return configurations.flatMap(({ wanted, live }) => {
    if (live.kind === 'found') return webhookResults(wanted, ownObjects(live.object, 'webhooks'), options)
    const about = { check: 'registration', subject: titleOf(wanted) } as const
    if (live.kind === 'failed') return { ...about, kind: 'unknown', what: live.reason }
    const what = 'is missing, so the API server calls no webhook'
    return options.create === undefined
      ? { ...about, kind: 'problem', what: `${what}; ${INSTALL_FIRST}` }
      : { ...about, kind: 'problem', what, fix: options.create }
  })
}

function webhookResults (
  wanted: JsonObject, found: readonly JsonObject[], options: RegistrationOptions
): CheckResult[] {
  const expected = ownObjects(wanted, 'webhooks')
  const compared = expected.map((webhook) => comparedWebhook(webhook, found, options))
  const unexpected = found.map((webhook, at) => ({ webhook, at, name: ownString(webhook, 'name') }))
    .filter(({ name }) => !expected.some((other) => other['name'] === name))
    .map(({ webhook, at, name }) =>
      ({ at, name, isOfOtherVersion: found.some((other) => other !== webhook && hasSameServer(other, webhook)) }))
  const operations = compared.flatMap(({ patch }) => patch)
    .filter((operation) => options.responds || isHarmless(operation))
  // from the end, so that no removal moves what another one removes
  const removals = unexpected.filter(({ isOfOtherVersion }) => !isOfOtherVersion).reverse()
    .flatMap(({ at, name }) => [nameTest(at, name), { op: 'remove', path: `/webhooks/${at}` }])
  const patch = [...operations, ...removals]
  const fix = patch.some(({ op }) => op !== 'test') ? patchCommand(wanted, patch) : undefined
  const about = (name: string) => ({ check: 'registration', subject: `${titleOf(wanted)}, ${name}` }) as const
  return [
    ...compared.map(({ name, texts, isExempted }): CheckResult => {
      if (texts.length > 0) return { ...about(name), kind: 'problem', what: texts.join('; '), details: texts, fix }
      return isExempted
        ? { ...about(name), kind: 'note', what: EXEMPTED_BY_AKS }
        : { ...about(name), kind: 'ok', what: 'is as the program registers it' }
    }),
    ...unexpected.map(({ name, isOfOtherVersion }): CheckResult => isOfOtherVersion
      ? { ...about(name), kind: 'note', what: OTHER_VERSION }
      : { ...about(name), kind: 'problem', what: 'is not a webhook of the program', fix })
  ]
}

const INSTALL_FIRST = 'install and start the server first: a registration without it has every change refused'
const OTHER_VERSION = 'is not a webhook of this version of the program, but calls the same server: use the doctor of ' +
  'the version that runs there'

interface ComparedWebhook {
  readonly name: string
  readonly texts: readonly string[]
  readonly patch: readonly JsonObject[]
  readonly isExempted: boolean
}

/** `found` are the live webhooks of the same configuration. */
function comparedWebhook (
  webhook: JsonObject, found: readonly JsonObject[], { exempt, caBundle }: RegistrationOptions
): ComparedWebhook {
  const name = ownString(webhook, 'name')
  const at = found.findIndex((other) => other['name'] === name)
  const current = found[at]
  if (current === undefined) {
    const clientConfig = { ...ownObject(webhook, 'clientConfig'), ...(caBundle !== '' && { caBundle }) }
    const patch = [{ op: 'add', path: '/webhooks/-', value: { ...webhook, clientConfig } }]
    return { name, texts: ['is missing'], patch, isExempted: false }
  }
  const hasOwnExempt = exempt !== undefined && exemptBy(webhook) !== undefined
  const wanted = comparable(hasOwnExempt ? { ...webhook, namespaceSelector: except(exempt) } : webhook)
  const isExempted = hasExemptionsOfAks(comparable(current), wanted)
  const live = comparable(isExempted ? { ...current, namespaceSelector: wanted['namespaceSelector'] } : current)
  const { texts, patch } = compare(live, wanted, `/webhooks/${at}`)
  const root = `/webhooks/${at}/clientConfig`
  const isTrusted = caBundle === '' || ownString(ownObject(current, 'clientConfig'), 'caBundle') === caBundle
  const isRetargeted = !isTrusted && patch.some((operation) => ownString(operation, 'path').startsWith(root))
  const trust = isRetargeted ? [{ op: 'add', path: `${root}/caBundle`, value: caBundle }] : []
  return { name, texts, isExempted, patch: patch.length === 0 ? [] : [nameTest(at, name), ...patch, ...trust] }
}

function except (namespaces: readonly string[]): JsonObject {
  return { matchExpressions: [{ key: NAMESPACE_LABEL, operator: 'NotIn', values: namespaces }] }
}

/** Whether the API server calls the same server after an operation, and refuses no request that it cannot judge. */
function isHarmless ({ path, value }: JsonObject): boolean {
  return !String(path).includes('/clientConfig') && value !== 'Fail' &&
    !(isJsonObject(value) && value['failurePolicy'] === 'Fail')
}

function hasSameServer (one: JsonObject, other: JsonObject): boolean {
  const [a, b] = [one, other].map((webhook) => {
    const client = ownObject(webhook, 'clientConfig')
    const { name, namespace, port = 443 } = ownObject(client, 'service')
    return JSON.stringify([name, namespace, port, URL.parse(ownString(client, 'url'))?.host])
  })
  return a === b
}

/** With the defaults of the API server, without the caBundle. Source: admissionregistration.k8s.io/v1. */
function comparable (webhook: JsonObject): JsonObject {
  const { caBundle, service, ...client } = ownObject(webhook, 'clientConfig')
  const clientConfig = { ...client, ...(isJsonObject(service) && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}

/** Labels of the namespaces that the admission enforcer of AKS exempts, in every webhook. */
const LABELS_OF_AKS = ['control-plane', 'kubernetes.azure.com/managedby']

const EXEMPTED_BY_AKS = 'is as the program registers it, but AKS exempts namespaces with ' +
  `${LABELS_OF_AKS.join(' or ')}: services there get no block; to prevent this, set the label ` +
  'admissions.enforcer/disabled=true (chart value webhooks.labels), and register the webhooks again'

/** Whether the only differences of the selectors are exemptions that AKS added. */
function hasExemptionsOfAks (live: JsonObject, wanted: JsonObject): boolean {
  const selector = ownObject(live, 'namespaceSelector')
  const expressions = ownObjects(selector, 'matchExpressions')
  const kept = expressions.filter((expression) => !LABELS_OF_AKS.includes(ownString(expression, 'key')))
  if (kept.length === expressions.length) return false
  const { matchExpressions, ...rest } = selector
  const restored = kept.length === 0 ? rest : { ...rest, matchExpressions: kept }
  return jsonpatch.compare(restored, ownObject(wanted, 'namespaceSelector')).length === 0
}

/** Makes a patch fail if the list has changed in the meantime. */
function nameTest (at: number, name: string): JsonObject {
  return { op: 'test', path: `/webhooks/${at}/name`, value: name }
}
