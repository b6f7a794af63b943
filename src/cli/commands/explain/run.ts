import { KINDS } from '../../../api/kinds.ts'
import { API_VERSION } from '../../../api/meta.ts'
import { assessService } from '../../../core/settings/assess.ts'
import { explainService } from '../../../core/settings/explain.ts'
import { errorMessage } from '../../../platform/error-message.ts'
import type { Service } from '../../../core/settings/service.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { checkReferences, type ReferenceCheck } from '../../../kube/objects/check-references.ts'
import { listObjects } from '../../../kube/objects/list-objects.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../../webhooks/engine.ts'
import { toExplanation, type Explained } from './format.ts'
import type { ExplainFlags } from './command.ts'
import { placeText, readInput } from '../../read-input.ts'
import { unusable, type Terminal } from '../../output/terminal.ts'
import { withCluster } from '../../user-cluster.ts'
import type { JsonObject } from '../../../platform/json.ts'

/**
 * Explains the services that the flags name; exit code 1 where a check finds something that cannot be used, 2 where
 * there is no such service.
 */
export async function explain (name: string | undefined, flags: ExplainFlags, terminal: Terminal): Promise<void> {
  try {
    const wanted = {
      name: name?.replace(/^(aimsvc|aimservices?)(\.aim\.silogen\.ai)?\//, ''),
      namespace: flags.namespace
    }
    const explained =
      flags.filename === undefined ? await inCluster(wanted, flags) : await inFiles(wanted, flags, terminal)
    if (explained.length === 0) throw new Error(noService(wanted))
    terminal.write(
      flags.output === 'json'
        ? explained.map(record).join('')
        : explained.map((one) => toExplanation(one, terminal.colour)).join('\n')
    )
    const isFound = explained.every(({ checks = [] }) =>
      checks.every(({ verdict }) => verdict === 'usable' || verdict === 'unknown')
    )
    terminal.setExitCode(isFound ? 0 : 1)
  } catch (error) {
    unusable(errorMessage(error).split('\n'), terminal)
  }
}

interface Wanted { readonly name: string | undefined, readonly namespace: string | undefined }

function noService ({ name, namespace }: Wanted): string {
  const place = namespace === undefined ? '' : ` in the namespace ${namespace}`
  return name === undefined ? `there is no AIMService${place}` : `there is no AIMService ${name}${place}`
}

async function inFiles (wanted: Wanted, flags: ExplainFlags, terminal: Terminal): Promise<Explained[]> {
  const { objects, problems } = await readInput(flags.filename ?? [], {
    stdin: terminal.stdin,
    recursive: flags.recursive === true
  })
  const refused = objects.flatMap(({ errors, file, positionOf }) =>
    errors.map(({ field, message }) => `${placeText(file, positionOf(field))}: ${field}: ${message}`)
  )
  if (problems.length + refused.length > 0) throw new Error([...problems, ...refused].join('\n'))
  const admission = worldOf(objects.map(({ object }) => object))
  const services = servicesIn(admission, wanted)
  if (flags.check !== true) return services.map((service) => explained(service, admission, undefined))
  return await withCluster(flags, async (request) => await checked(services, admission, request))
}

/** Only what one namespace holds is asked for, and the cluster's configurations: more its users may not see. */
async function inCluster (wanted: Wanted, flags: ExplainFlags): Promise<Explained[]> {
  return await withCluster(flags, async (request, { namespace: ofContext }) => {
    const namespace = wanted.namespace ?? ofContext
    const objects: JsonObject[] = []
    for (const { plural, scope } of KINDS) {
      const path = `/apis/${API_VERSION}/${scope === 'Cluster' ? plural : `namespaces/${namespace}/${plural}`}`
      for await (const object of listObjects(path, request)) objects.push(object)
    }
    const admission = worldOf(objects)
    const services = servicesIn(admission, { ...wanted, namespace })
    if (services.length === 0) throw new Error(noService({ ...wanted, namespace }))
    return flags.check === true
      ? await checked(services, admission, request)
      : services.map((service) => explained(service, admission, undefined))
  })
}

function worldOf (objects: readonly JsonObject[]): AdmissionEngine {
  const admission = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' })
  for (const object of objects) {
    const kind = KINDS.find((known) => known.kind === object['kind'])
    if (kind !== undefined) admission.sinks[kind.kind].upsert(object)
  }
  return admission
}

function servicesIn ({ services }: AdmissionEngine, { name, namespace }: Wanted): Service[] {
  return [...services.all()]
    .filter((service) =>
      (name === undefined || service.name === name) && (namespace === undefined || service.namespace === namespace))
    .map((service) => service.parse())
}

async function checked (services: readonly Service[], admission: AdmissionEngine, request: SendRequest): Promise<Explained[]> {
  return await Promise.all(
    services.map(async (service) =>
      explained(service, admission, await checkReferences(referencesOf(service, admission), request))
    )
  )
}

function referencesOf (service: Service, { world }: AdmissionEngine): Parameters<typeof checkReferences>[0] {
  const { block } = assessService(service, world, service)
  return {
    namespace: service.namespace,
    serviceAccountName: block?.serviceAccountName,
    imagePullSecrets: (block?.imagePullSecrets ?? []).map(({ name }) => name),
    storageClassName: block?.defaultStorageClassName,
    gatewayRef: block?.routing.enabled === true ? block.routing.gatewayRef : undefined
  }
}

function explained (service: Service, { world }: AdmissionEngine, checks: readonly ReferenceCheck[] | undefined): Explained {
  return { explanation: explainService(service, world), checks }
}

function record ({ explanation, checks }: Explained): string {
  return `${JSON.stringify({ ...explanation, ...(checks !== undefined && { checks }) })}\n`
}
