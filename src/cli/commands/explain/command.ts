import type { Command } from 'commander'
import { newAdmissionEngine, type AdmissionEngine } from '../../../../webhooks/engine.ts'
import { KINDS } from '../../../api/kinds.ts'
import { assessService, resolveConfig, type AssessmentWorld } from '../../../core/settings/assess.ts'
import { explainService, type Explanation } from '../../../core/settings/explain.ts'
import { configTitle, readRuntimeConfig, type RuntimeConfig } from '../../../core/settings/runtime-config.ts'
import type { Service } from '../../../core/settings/service.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { parseObject, statusOf } from '../../../kube/client/responses.ts'
import { checkReferences, type References } from '../../../kube/objects/check-references.ts'
import { collectionPath, forbiddenReason, listObjects } from '../../../kube/objects/list-objects.ts'
import { isJsonObject, ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import { filesFlag, flag, newCommand } from '../../flags/read-flags.ts'
import { pathFlags, pathPolicySettings, type PathFlags } from '../../flags/settings.ts'
import { toJsonLines } from '../../output/formats.ts'
import { refuseInput, reportErrors, type Terminal } from '../../output/terminal.ts'
import { placeText, readInput } from '../../read-objects.ts'
import {
  clusterFlags, manifestNamespace, objectNamespaceFlag, withCluster, type ClusterFlags
} from '../../user-cluster.ts'
import { toText, type Explained, type UnreadableKind } from './format.ts'

/** As given. */
interface ExplainFlags extends ClusterFlags, PathFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly allNamespaces?: true
  readonly output: 'table' | 'json'
  readonly check?: true
}

/** `aim-admission explain SERVICE`: where the settings of a service come from. */
export function explainCommand (terminal: Terminal): Command {
  return newCommand('explain',
    'explain the settings of a service: which configuration applies, where each setting comes from, ' +
    'how the path is rendered', [
      filesFlag('-f, --filename <file>',
        'file, folder or pattern, - for standard input; repeatable (default: the cluster)'),
      flag('-R, --recursive', 'read folders recursively'),
      objectNamespaceFlag('namespace of the service (default in a cluster: that of the context)'),
      flag('-A, --all-namespaces', 'services of all namespaces'),
      flag('-o, --output <format>', 'output format', 'table').choices(['table', 'json']),
      flag('--check', 'check in the cluster, with your rights, whether the settings name usable objects'),
      ...pathFlags(),
      ...clusterFlags('cluster of the service (default: that of kubectl)')
    ])
    .argument('[service...]',
      'NAME, aimsvc/NAME, or aimsvc NAME; without it, every service of the files or the namespace')
    .action(async (names: readonly string[], flags: ExplainFlags) => {
      await reportErrors(terminal, async () => { await explain(names, flags, terminal) })
    })
}

/** Explains the services of the flags. Exit code 1 if a check finds an unusable object, 2 if there is no service. */
async function explain (names: readonly string[], flags: ExplainFlags, terminal: Terminal): Promise<void> {
  const wanted = {
    names: names.map((name) => name.replace(TYPE, '')).filter((name) => name !== ''),
    namespace: flags.allNamespaces === true ? '' : flags.namespace ?? ''
  }
  const explained =
    flags.filename === undefined ? await inCluster(wanted, flags) : await inFiles(wanted, flags, terminal)
  terminal.write(
    flags.output === 'json'
      ? toJsonLines(explained.map(({ explanation, ...more }) => ({ ...explanation, ...more })))
      : explained.map((one) => toText(one, terminal.colors)).join('\n')
  )
  const verdicts = new Set(explained.flatMap(({ checks = [] }) => checks.map(({ verdict }) => verdict)))
  terminal.setExitCode(verdicts.has('missing') || verdicts.has('unusable') ? 1 : 0)
}

/** The type before a name, in any case; without a slash, an argument of its own. */
const TYPE = /^(aimsvc|aimservices?)(\.[a-z0-9.-]+)?(\/|$)/i

interface Wanted {
  /** Empty: every service. */
  readonly names: readonly string[]
  /** Empty: all. */
  readonly namespace: string
}

async function inFiles (wanted: Wanted, flags: ExplainFlags, terminal: Terminal): Promise<Explained[]> {
  const { filename = [], recursive } = flags
  const { objects, problems } = await readInput(filename, {
    stdin: terminal.stdin, recursive: recursive === true, namespace: manifestNamespace(flags)
  })
  const violations = objects.flatMap(({ errors, file, positionOf }) =>
    errors.map(({ field, message }) => `${placeText(file, positionOf(field))}: ${field}: ${message}`))
  refuseInput([...problems, ...violations])
  const engine = engineOf(objects.map(({ object }) => object), flags)
  const services = servicesIn(engine, wanted)
  if (flags.check !== true) return services.map((service) => explained(service, engine, []))
  return await withCluster(flags, async ({ request }) => await checked(services, engine, { request, unreadable: [] }))
}

/** Lists one namespace and the cluster's configurations: users may lack the right to list more, or even these. */
async function inCluster (wanted: Wanted, flags: ExplainFlags): Promise<Explained[]> {
  return await withCluster(flags, async ({ request, contextNamespace = 'default' }) => {
    const namespace = flags.allNamespaces === true ? '' : wanted.namespace || contextNamespace
    const { objects, unreadable } = await readable({ ...wanted, namespace }, request)
    const engine = engineOf(objects, flags)
    const services = servicesIn(engine, { ...wanted, namespace })
    return flags.check === true
      ? await checked(services, engine, { request, unreadable })
      : services.map((service) => explained(service, engine, unreadable))
  })
}

interface Readable { readonly objects: readonly JsonObject[], readonly unreadable: readonly UnreadableKind[] }

/** Services that are named need not be listed. */
async function readable ({ names, namespace }: Wanted, request: SendRequest): Promise<Readable> {
  const objects: JsonObject[] = []
  const unreadable: UnreadableKind[] = []
  for (const each of KINDS) {
    const { kind } = each
    const path = collectionPath(each, namespace)
    try {
      await listObjects(path, request, (object) => { objects.push(object) })
    } catch (error) {
      const reason = forbiddenReason(error)
      if (reason === undefined) throw error
      if (kind !== 'AIMService') unreadable.push({ kind, reason })
      else if (namespace === '' || names.length === 0) throw error
      else objects.push(...await namedServices(names.map((name) => `${path}/${name}`), request))
    }
  }
  return { objects, unreadable }
}

async function namedServices (paths: readonly string[], request: SendRequest): Promise<JsonObject[]> {
  return await Promise.all(paths.map(async (path) => {
    const response = await request(path)
    if (response.statusCode !== 200) throw new Error(`failed to get ${path}: ${(await statusOf(response)).message}`)
    return parseObject(await response.body.text())
  }))
}

function engineOf (objects: readonly JsonObject[], flags: ExplainFlags): AdmissionEngine {
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' }, {
    pathPolicy: pathPolicySettings(flags)
  })
  for (const object of objects) {
    const kind = KINDS.find((known) => known.kind === object['kind'])
    if (kind !== undefined) engine.sinks[kind.kind].upsert(object)
  }
  return engine
}

/** Throws if no service matches, or none matches one of the names. */
function servicesIn ({ services }: AdmissionEngine, { names, namespace }: Wanted): Service[] {
  const found = [...services.all()].filter((service) => names.length === 0 || names.includes(service.name))
    .filter((service) => namespace === '' || service.namespace === namespace)
  const missing = names.filter((name) => !found.some((service) => service.name === name))
  if (found.length === 0 || missing.length > 0) {
    const place = namespace === '' ? '' : ` in the namespace ${namespace}`
    throw new Error(`there is no AIMService${missing.length === 0 ? '' : ` ${missing.join(', ')}`}${place}`)
  }
  return found.flatMap((service) => service.parse() ?? [])
}

async function checked (
  services: readonly Service[], engine: AdmissionEngine,
  { request, unreadable }: { readonly request: SendRequest, readonly unreadable: readonly UnreadableKind[] }
): Promise<Explained[]> {
  return await Promise.all(services.map(async (service) => ({
    ...explained(service, engine, unreadable),
    checks: await checkReferences(referencesOf(service, worldOf(service, engine, unreadable)), request)
  })))
}

function referencesOf (service: Service, world: AssessmentWorld): References {
  const { block } = assessService(service, world, service)
  return {
    namespace: service.namespace,
    serviceAccountName: block?.serviceAccountName,
    imagePullSecrets: (block?.imagePullSecrets ?? []).map(({ name = '' }) => name),
    storageClassName: block?.defaultStorageClassName,
    gatewayRef: block?.routing.enabled === true ? block.routing.gatewayRef : undefined
  }
}

function explained (service: Service, engine: AdmissionEngine, unreadable: readonly UnreadableKind[]): Explained {
  const explanation = explainService(service, worldOf(service, engine, unreadable))
  if (unreadable.length === 0) return { explanation }
  const config = resolveConfig({ namespace: service.namespace, name: service.configName }, engine.world)
  const isKnown = explanation.config === undefined || explanation.config === (config && configTitle(config))
  return { explanation: isKnown ? explanation : ofBlock(explanation, service), unreadable }
}

/** Without what the block does not say: whether it is up to date, and what the configuration has beside it. */
function ofBlock (explanation: Explanation, { block }: Service): Explanation {
  const settings = explanation.settings.map((setting) => ({
    ...setting, passedOver: setting.passedOver.filter(({ from }) => from === 'service')
  }))
  return { ...explanation, settings, current: undefined, hash: isJsonObject(block) ? ownString(block, 'hash') : '' }
}

/** Where the configurations of a kind may not be read, the block stands for the one that the service has. */
function worldOf (
  service: Service, { world }: AdmissionEngine, unreadable: readonly UnreadableKind[]
): AssessmentWorld {
  const config = unreadable.map(({ kind }) => configOfBlock(service, kind)).find((found) => found !== undefined)
  if (config === undefined) return world
  const ofScope = (scope: RuntimeConfig['scope']): RuntimeConfig | undefined =>
    config.scope === scope ? config : undefined
  return {
    ...world,
    configs: {
      ...world.configs,
      namespaced: (namespace, name) => world.configs.namespaced(namespace, name) ?? ofScope('Namespace'),
      cluster: (name) => world.configs.cluster(name) ?? ofScope('Cluster')
    }
  }
}

/** What the service does not set itself is the configuration's, or a default. */
function configOfBlock (service: Service, kind: UnreadableKind['kind']): RuntimeConfig | undefined {
  const { block, namespace, configName: name, routing } = service
  if (!isJsonObject(block) || block['kind'] !== kind || block['name'] !== name) return undefined
  const settled = ownObject(block, 'routing')
  const spec = {
    defaultStorageClassName: block['defaultStorageClassName'],
    serviceAccountName: service.serviceAccountName === undefined ? block['serviceAccountName'] : undefined,
    imagePullSecrets: ownObjects(block, 'imagePullSecrets')
      .filter((secret) => !service.imagePullSecrets.includes(ownString(secret, 'name'))),
    model: block['model'],
    routing: {
      enabled: routing.enabled === undefined ? settled['enabled'] : undefined,
      gatewayRef: routing.gatewayRef === undefined ? settled['gatewayRef'] : undefined,
      pathTemplate: routing.pathTemplate === undefined ? settled['pathTemplate'] : undefined
    }
  }
  const config = readRuntimeConfig(kind, { metadata: { namespace, name }, spec })
  return config.kind === 'malformed' ? undefined : config
}
