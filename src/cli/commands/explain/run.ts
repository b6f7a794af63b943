import { newAdmissionEngine, type AdmissionEngine } from '../../../../webhooks/engine.ts'
import { KINDS } from '../../../api/kinds.ts'
import { API_VERSION } from '../../../api/meta.ts'
import { assessService } from '../../../core/settings/assess.ts'
import { explainService } from '../../../core/settings/explain.ts'
import type { Service } from '../../../core/settings/service.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { checkReferences, type References } from '../../../kube/objects/check-references.ts'
import { listObjects } from '../../../kube/objects/list-objects.ts'
import { errorMessage } from '../../../platform/error-message.ts'
import type { JsonObject } from '../../../platform/json.ts'
import { pathPolicySettings } from '../../flags/settings.ts'
import { toJsonLines } from '../../output/formats.ts'
import { reportUnusable, type Terminal } from '../../output/terminal.ts'
import { placeText, readInput } from '../../read-input.ts'
import { manifestNamespace, withCluster } from '../../user-cluster.ts'
import type { ExplainFlags } from './command.ts'
import { toText, type Explained } from './format.ts'

/** Explains the services of the flags. Exit code 1 if a check finds an unusable object, 2 if there is no service. */
export async function explain (name: string | undefined, flags: ExplainFlags, terminal: Terminal): Promise<void> {
  try {
    const wanted = {
      name: name?.replace(/^(aimsvc|aimservices?)(\.[a-z0-9.-]+)?\//, ''),
      namespace: flags.namespace || undefined
    }
    const explained =
      flags.filename === undefined ? await inCluster(wanted, flags) : await inFiles(wanted, flags, terminal)
    terminal.write(
      flags.output === 'json'
        ? toJsonLines(explained.map(({ explanation, checks }) => ({ ...explanation, ...(checks && { checks }) })))
        : explained.map((one) => toText(one, terminal.colors)).join('\n')
    )
    const unusable = explained.some(({ checks = [] }) =>
      checks.some(({ verdict }) => verdict === 'missing' || verdict === 'unusable'))
    terminal.setExitCode(unusable ? 1 : 0)
  } catch (error) {
    reportUnusable(errorMessage(error).split('\n'), terminal)
  }
}

interface Wanted { readonly name: string | undefined, readonly namespace: string | undefined }

async function inFiles (wanted: Wanted, flags: ExplainFlags, terminal: Terminal): Promise<Explained[]> {
  const { filename = [], recursive } = flags
  const { objects, problems } = await readInput(filename, {
    stdin: terminal.stdin, recursive: recursive === true, namespace: manifestNamespace(flags)
  })
  const violations = objects.flatMap(({ errors, file, positionOf }) =>
    errors.map(({ field, message }) => `${placeText(file, positionOf(field))}: ${field}: ${message}`))
  if (problems.length + violations.length > 0) throw new Error([...problems, ...violations].join('\n'))
  const engine = engineOf(objects.map(({ object }) => object), flags)
  const services = servicesIn(engine, wanted)
  if (flags.check !== true) return services.map((service) => explained(service, engine))
  return await withCluster(flags, async ({ request }) => await checked(services, engine, request))
}

/** Lists one namespace and the cluster's configurations: users may lack the right to list more. */
async function inCluster (wanted: Wanted, flags: ExplainFlags): Promise<Explained[]> {
  return await withCluster(flags, async ({ request, contextNamespace = 'default' }) => {
    const namespace = wanted.namespace ?? contextNamespace
    const objects: JsonObject[] = []
    for (const { plural, scope } of KINDS) {
      const path = `/apis/${API_VERSION}/${scope === 'Cluster' ? plural : `namespaces/${namespace}/${plural}`}`
      for await (const object of listObjects(path, request)) objects.push(object)
    }
    const engine = engineOf(objects, flags)
    const services = servicesIn(engine, { ...wanted, namespace })
    return flags.check === true
      ? await checked(services, engine, request)
      : services.map((service) => explained(service, engine))
  })
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

/** Throws if no service matches. */
function servicesIn ({ services }: AdmissionEngine, { name, namespace }: Wanted): Service[] {
  const found = [...services.all()].filter((service) =>
    (name === undefined || service.name === name) && (namespace === undefined || service.namespace === namespace))
  if (found.length === 0) {
    const place = namespace === undefined ? '' : ` in the namespace ${namespace}`
    throw new Error(`there is no AIMService${name === undefined ? '' : ` ${name}`}${place}`)
  }
  return found.flatMap((service) => service.parse() ?? [])
}

async function checked (
  services: readonly Service[], engine: AdmissionEngine, request: SendRequest
): Promise<Explained[]> {
  return await Promise.all(services.map(async (service) => ({
    ...explained(service, engine),
    checks: await checkReferences(referencesOf(service, engine), request)
  })))
}

function referencesOf (service: Service, { world }: AdmissionEngine): References {
  const { block } = assessService(service, world, service)
  return {
    namespace: service.namespace,
    serviceAccountName: block?.serviceAccountName,
    imagePullSecrets: (block?.imagePullSecrets ?? []).map(({ name = '' }) => name),
    storageClassName: block?.defaultStorageClassName,
    gatewayRef: block?.routing.enabled === true ? block.routing.gatewayRef : undefined
  }
}

function explained (service: Service, { world }: AdmissionEngine): Explained {
  return { explanation: explainService(service, world) }
}
