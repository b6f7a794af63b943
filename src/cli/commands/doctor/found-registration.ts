import { probeServingCert } from '../../../../certs/replicas.ts'
import {
  webhookConfigurations, type RegisteredWebhook, type WebhookClient, type WebhookConfigurationOptions
} from '../../../../webhooks/webhook-configurations.ts'
import { GROUP, SYSTEM_NAMESPACE } from '../../../api/meta.ts'
import { labelsOf } from '../../../api/object-meta.ts'
import type { ProbeResult } from '../../../kube/objects/admission-probe.ts'
import {
  isJsonObject, own, ownObject, ownObjects, ownString, ownStrings, type JsonObject
} from '../../../platform/json.ts'
import { endpointOf } from './check-certificate.ts'
import { registrationPath, type LiveConfiguration } from './check-objects.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { shellWord, type CheckResult } from './format.ts'

export async function readConfigurations (
  webhooks: readonly RegisteredWebhook[], options: WebhookConfigurationOptions, cluster: ClusterReader
): Promise<LiveConfiguration[]> {
  return await Promise.all(webhookConfigurations(webhooks, options).map(async (wanted) =>
    ({ wanted, live: await cluster.read(registrationPath(wanted)) })))
}

/** What the live webhooks were registered with. Undefined: they do not agree, or no flag stands for it. */
export interface FoundOptions {
  /** Of the first webhook if that works, else of most. */
  readonly client: WebhookClient | undefined
  readonly failurePolicy: 'Fail' | 'Ignore' | undefined
  readonly timeoutSeconds: number | undefined
  /** The namespace of the program, which is exempt from the webhooks. */
  readonly namespace: string | undefined
  /** All exempt namespaces. */
  readonly exempt: readonly string[] | undefined
  /** The API group of the three kinds. */
  readonly group: string | undefined
  /** Of the first webhook; can be empty. */
  readonly caBundle: string
}

/** `works`: whether the API server reaches the first webhook. */
export function foundOptions (configurations: readonly LiveConfiguration[], works: boolean): FoundOptions {
  const pairs = configurations.flatMap(({ wanted, live }) => ownObjects(wanted, 'webhooks').flatMap((webhook) => {
    const all = live.kind === 'found' ? ownObjects(live.object, 'webhooks') : []
    const found = all.find(({ name }) => name === webhook['name'])
    return found === undefined ? [] : [{ wanted: webhook, live: found }]
  }))
  const clients = pairs.map(({ wanted, live }) => clientOf(live, pathOf(wanted)))
  const client = works ? clients[0] : mostFrequent(clients)
  const caBundle = ownString(ownObject(pairs[0]?.live ?? {}, 'clientConfig'), 'caBundle')
  const exempt = agreed(pairs.filter(({ wanted }) => 'namespaceSelector' in wanted).map(({ live }) => exemptBy(live)))
  // the others only warn, and have the policy Ignore in any case
  const refusing = pairs.filter(({ wanted }) => !ownString(wanted, 'name').startsWith('warn'))
  return {
    client: client?.kind === 'url' ? { ...client, caBundle } : client,
    caBundle,
    exempt,
    failurePolicy: POLICIES.find((policy) => policy === agreed(refusing.map(({ live }) => live['failurePolicy']))),
    timeoutSeconds: TIMEOUTS.find((seconds) => seconds === agreed(pairs.map(({ live }) => live['timeoutSeconds']))),
    namespace: ownNamespace(exempt ?? [], client),
    group: agreed(pairs.map(({ live }) => ownStrings(ownObjects(live, 'rules')[0] ?? {}, 'apiGroups').join(',')))
  }
}

const POLICIES = ['Fail', 'Ignore'] as const
const TIMEOUTS = [1, 2, 3, 4, 5] as const

/** The value that all are equal to. */
function agreed<T> (values: readonly T[]): T | undefined {
  return new Set(values.map((value) => JSON.stringify(value))).size === 1 ? values[0] : undefined
}

function mostFrequent (clients: readonly (WebhookClient | undefined)[]): WebhookClient | undefined {
  const [most] = [...Map.groupBy(clients, (client) => JSON.stringify(client)).values()]
    .sort((one, other) => other.length - one.length)
  return most?.[0]
}

function ownNamespace (exempt: readonly string[], client: WebhookClient | undefined): string | undefined {
  const others = exempt.filter((name) => name !== 'kube-system')
  return client?.kind === 'service' && others.includes(client.namespace) ? client.namespace : others[0]
}

export function exemptBy (webhook: JsonObject): string[] | undefined {
  const expression = ownObjects(ownObject(webhook, 'namespaceSelector'), 'matchExpressions')
    .find(({ key, operator }) => key === NAMESPACE_LABEL && operator === 'NotIn')
  return expression === undefined ? undefined : ownStrings(expression, 'values')
}

export const NAMESPACE_LABEL = 'kubernetes.io/metadata.name'

function pathOf (wanted: JsonObject): string {
  const client = ownObject(wanted, 'clientConfig')
  return ownString(ownObject(client, 'service'), 'path') || (URL.parse(ownString(client, 'url'))?.pathname ?? '')
}

/** Undefined for a path or a port that the program does not register. */
function clientOf (webhook: JsonObject, path: string): WebhookClient | undefined {
  const client = ownObject(webhook, 'clientConfig')
  const service = own(client, 'service')
  if (isJsonObject(service)) {
    if (own(service, 'path') !== path || (own(service, 'port') ?? 443) !== 443) return undefined
    return { kind: 'service', name: ownString(service, 'name'), namespace: ownString(service, 'namespace') }
  }
  const url = ownString(client, 'url')
  return url.endsWith(path) ? { kind: 'url', url: url.slice(0, -path.length), caBundle: '' } : undefined
}

export interface Fit {
  /** What the registration is compared with: found options instead of defaults, and the target that works. */
  readonly options: WebhookConfigurationOptions
  /** Whether the server that is to be called responds: only then may a fix have the API server refuse without it. */
  readonly responds: boolean
  /** Whether the API server calls a server that does not respond, or that it does not trust. */
  readonly isBroken: boolean
  /** The caBundle of that server; can be empty. */
  readonly caBundle: string
  /** All exempt namespaces, which an operator may have extended. Undefined: as the program prints them. */
  readonly exempt: readonly string[] | undefined
  /** What was found instead of what the flags say, and the flags that fit. */
  readonly results: readonly CheckResult[]
}

export interface FitOptions {
  readonly cluster: ClusterReader
  readonly options: WebhookConfigurationOptions
  /** Whether a flag was given; what was not given follows the cluster. */
  readonly isGiven: (flag: string) => boolean
  /** Whether the API server reaches the registered server. */
  readonly probed: ProbeResult
}

/** What a registration should be: as the flags say, else as found. A server that responds stays registered. */
export async function fitTo (found: FoundOptions, given: FitOptions): Promise<Fit> {
  const { cluster, options, isGiven, probed } = given
  const chosen = <T>(flag: string, asked: T, live: T | undefined): T => isGiven(flag) ? asked : live ?? asked
  const isBroken = isUnreachable(probed)
  const other = otherClient(found, options)
  const isWorse = async (): Promise<boolean> =>
    other !== undefined && !await isReady(other, cluster) && await isReady(options.client, cluster)
  const isKept = other !== undefined && !(isBroken && await isWorse())
  const client = isKept ? other : options.client
  const isExempt = found.exempt?.includes(options.namespace) === true
  const fitted = {
    client,
    namespace: chosen('namespace', options.namespace, isExempt ? undefined : found.namespace),
    failurePolicy: chosen('failurePolicy', options.failurePolicy, found.failurePolicy),
    timeoutSeconds: chosen('timeoutSeconds', options.timeoutSeconds, found.timeoutSeconds)
  }
  const flags = registrationFlags(fitted, options)
  const isExtended = ['kube-system', fitted.namespace].every((name) => found.exempt?.includes(name))
  return {
    options: fitted,
    responds: probed.kind === 'success' || await isReady(client, cluster),
    isBroken,
    caBundle: client.kind === 'url' ? client.caBundle : found.caBundle,
    exempt: isExtended ? found.exempt : undefined,
    results: await fitResults(other, given, flags)
  }
}

/** The registered target, unless it is the one that the flags name. */
function otherClient ({ client }: FoundOptions, options: WebhookConfigurationOptions): WebhookClient | undefined {
  return client !== undefined && targetText(client) !== targetText(options.client) ? client : undefined
}

/** Source: `failureOf` of the probe. The others say nothing about the server. */
const BROKEN = new Set<string>(['WrongCaBundle', 'InvalidCertificate', 'NoEndpoint', 'TimedOut', 'WebhookFailed'])

function isUnreachable (probed: ProbeResult): boolean {
  return probed.kind === 'failed' && BROKEN.has(probed.failure)
}

async function fitResults (
  other: WebhookClient | undefined, { cluster, options, isGiven, probed }: FitOptions, flags: readonly string[]
): Promise<CheckResult[]> {
  if (other === undefined) {
    return flags.length === 0 ? [] : [registrationResult('note', 'are registered with other options', flags)]
  }
  const isBroken = isUnreachable(probed)
  const { client: asked } = options
  const isMissing = asked.kind === 'service' && (await cluster.read(servicePath(asked))).kind === 'missing'
  const what = `are registered by ${targetText(other)}` + (probed.kind === 'success' ? ', which responds' : '') +
    (isBroken && probed.kind === 'failed' ? `, which does not respond (${probed.message})` : '') +
    `, not by ${targetText(asked)}${isMissing ? ', which does not exist' : ''}`
  const isAsked = ['url', 'serviceName', 'serviceNamespace'].some(isGiven)
  return [registrationResult(isBroken || isAsked ? 'problem' : 'note', what, flags)]
}

function registrationResult (kind: 'note' | 'problem', text: string, flags: readonly string[]): CheckResult {
  const details = flags.length === 0 ? [text] : [text, `flags that fit: ${flags.join(' ')}`]
  return { check: 'registration', kind, subject: 'the webhook configurations', what: details.join('; '), details }
}

/** The API group is a constant of the process, so nothing else can be compared. */
export function otherGroup (found: string): CheckResult {
  const what = `are registered for the API group ${found}, not for ${GROUP}`
  return registrationResult('problem', what, [`--api-group ${shellWord(found)}`])
}

/** Whether a server responds behind a Service, as its endpoints say, or, from here, at a URL. */
async function isReady (client: WebhookClient, cluster: ClusterReader): Promise<boolean> {
  if (client.kind === 'url') {
    const { caBundle, ...address } = endpointOf({ clientConfig: { url: client.url, caBundle: client.caBundle } })
    return (await probeServingCert(address, caBundle, { timeoutMs: 5_000, checkName: true })).kind === 'verified'
  }
  const [service, slices] = await Promise.all([
    cluster.read(servicePath(client)),
    cluster.read(`/apis/discovery.k8s.io/v1/namespaces/${client.namespace}/endpointslices`)
  ])
  return service.kind === 'found' && slices.kind === 'found' && ownObjects(slices.object, 'items')
    .filter((slice) => labelsOf(slice)[SERVICE_LABEL] === client.name)
    .flatMap((slice) => ownObjects(slice, 'endpoints'))
    .some((endpoint) => own(ownObject(endpoint, 'conditions'), 'ready') !== false)
}

const SERVICE_LABEL = 'kubernetes.io/service-name'

function servicePath ({ namespace, name }: WebhookClient & { readonly kind: 'service' }): string {
  return `/api/v1/namespaces/${namespace}/services/${name}`
}

/** The command that creates both configurations. Without a file of the CA, the CA is that of the other one. */
export function createCommand (
  options: WebhookConfigurationOptions, configurations: readonly LiveConfiguration[],
  { caFile, common }: { readonly caFile: string | undefined, readonly common: readonly string[] }
): string {
  const other = options.client.kind === 'url' && caFile === undefined
    ? configurations.find(({ live }) => live.kind === 'found')?.wanted
    : undefined
  const trusted = other === undefined
    ? ''
    : `kubectl get ${ownString(other, 'kind').toLowerCase()} ${DEFAULT_NAME} ` +
      "-o 'jsonpath={.webhooks[0].clientConfig.caBundle}' | base64 -d | "
  const flags = registrationFlags(options, DEFAULTS, shellWord(caFile ?? '/dev/stdin'))
  return `${trusted}${['aim-admission manifests webhooks', ...flags, ...common].join(' ')} | kubectl apply -f -`
}

/** The flags of options that differ from others. */
function registrationFlags (
  { client, namespace, failurePolicy, timeoutSeconds }: WebhookConfigurationOptions,
  than: WebhookConfigurationOptions, caFile = 'FILE'
): string[] {
  const isOther = targetText(client) !== targetText(than.client)
  return [
    ...(namespace === than.namespace ? [] : [`--namespace ${shellWord(namespace)}`]),
    ...(isOther ? targetFlags(client, namespace, caFile) : []),
    ...(failurePolicy === than.failurePolicy ? [] : [`--failure-policy ${failurePolicy}`]),
    ...(timeoutSeconds === than.timeoutSeconds ? [] : [`--timeout-seconds ${timeoutSeconds}`])
  ]
}

function targetFlags (client: WebhookClient, namespace: string, caFile: string): string[] {
  if (client.kind === 'url') return [`--url ${shellWord(client.url)}`, `--ca-file ${caFile}`]
  return [
    ...(client.name === DEFAULT_NAME ? [] : [`--service-name ${shellWord(client.name)}`]),
    ...(client.namespace === namespace ? [] : [`--service-namespace ${shellWord(client.namespace)}`])
  ]
}

const DEFAULT_NAME = 'aim-admission'

const DEFAULTS: WebhookConfigurationOptions = {
  client: { kind: 'service', name: DEFAULT_NAME, namespace: SYSTEM_NAMESPACE },
  namespace: SYSTEM_NAMESPACE,
  failurePolicy: 'Fail',
  timeoutSeconds: 5
}

/** `Service aim-system/aim-admission` */
function targetText (client: WebhookClient): string {
  return client.kind === 'url' ? `URL ${client.url}` : `Service ${client.namespace}/${client.name}`
}
