import { ADMIT, type AuditAnnotations, type Verdict } from '../src/admission/verdict.ts'
import type { PatchOperation } from '../src/api/admission-review.ts'
import { AIM_SERVICE } from '../src/api/kinds.ts'
import { INJECTED_FIELDS_ANNOTATION, PREFIX, BLOCK_ANNOTATION } from '../src/api/meta.ts'
import { annotationBytes, annotationsOf, createdAt, isDeleting, MAX_ANNOTATION_BYTES } from '../src/api/object-meta.ts'
import { missingConfigWarning } from '../src/core/rules/service-faults.ts'
import { judgeService, type ServicePolicy } from '../src/core/rules/service.ts'
import { assessService, type Assessment } from '../src/core/settings/assess.ts'
import { filledChanges, filledText } from '../src/core/settings/filled-fields.ts'
import { configNameOf, readService, blockText, type Service } from '../src/core/settings/service.ts'
import type { World } from '../src/core/world.ts'
import {
  definedFields, isJsonObject, own, ownObject, sameJson, valueAt, type JsonObject
} from '../src/platform/json.ts'
import { refuseMalformed, resourceOf, serviceAudit, verdictOf, type Webhook } from './webhook.ts'
import type { ReviewRequest } from '../src/admission/request.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'

/** Writes the resolved block. Never refuses: the validating webhook judges the final state. */
export function mutateService (world: World, policy: Pick<ServicePolicy, 'missingConfig'>): Webhook {
  return serviceWebhook('mutate', world, (request) => {
    const change = readReviewedService(request)
    if (change.kind === 'deleting') return restored(change)
    if (change.kind !== 'change') return ADMIT
    const service = request.operation === 'CREATE' ? withoutCreationTime(change.service) : change.service
    const assessment = assessService(service, world, change.old)
    const annotations = annotationsFor(assessment)
    // the validating webhook repeats this warning: either webhook may fail alone, and clients see equal texts once
    const isMissing = assessment.config === undefined
    const warnings = [
      ...(blockIsSupplied(assessment, change.old?.block) ? [suppliedBlock(assessment.service)] : []),
      ...(isMissing && policy.missingConfig === 'warn' ? [missingConfigWarning(change.service, world.configs)] : []),
      ...annotationSizeWarnings(request.object, annotations)
    ]
    return patched(servicePatch(request.object, assessment, annotations), warnings, serviceAudit(assessment))
  })
}

/** Judges the final state of a service, and reports every fault that the request causes. */
export function validateService (world: World, policy: ServicePolicy): Webhook {
  return serviceWebhook('validate', world, (request) => {
    const change = readReviewedService(request)
    if (change.kind === 'malformed') return refuseMalformed(change)
    if (change.kind !== 'change') return ADMIT
    const { assessment, faults, warnings } = judgeService(change, world, policy)
    return verdictOf(faults, { warnings, audit: serviceAudit(assessment) })
  })
}

function serviceWebhook (verb: 'mutate' | 'validate', world: World, decide: Webhook['decide']): Webhook {
  const name = `${verb}-aimservices`
  return {
    name,
    path: `/${verb}/aimservices`,
    type: verb === 'mutate' ? 'mutating' : 'validating',
    resource: resourceOf(AIM_SERVICE),
    registrations: [{ name: `${name}.${PREFIX}`, operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }],
    waitForConfig: (request, signal) => waitForConfigOf(request, world, signal),
    decide
  }
}

/** Server-side apply sends the time that its user wrote; the API server replaces it after mutating admission. */
function withoutCreationTime (service: Service): Service {
  const { object } = service
  if (createdAt(object) === '') return service
  return { ...service, object: { ...object, metadata: { ...ownObject(object, 'metadata'), creationTimestamp: null } } }
}

/**
 * Puts the stored block of a service that is being deleted back: it keeps the path that it holds, and gets no other.
 */
function restored ({ object, oldObject }: Extract<ReviewedService, { kind: 'deleting' }>): Verdict {
  const block = own(ownObject(oldObject, 'spec'), 'resolvedRuntimeConfig')
  const record = own(annotationsOf(oldObject), BLOCK_ANNOTATION)
  return patched([
    ...fieldsPatch(object, SPEC, { resolvedRuntimeConfig: block }),
    ...fieldsPatch(object, ANNOTATIONS, { [BLOCK_ANNOTATION]: record })
  ], [], {})
}

const SPEC = ['spec']
const ANNOTATIONS = ['metadata', 'annotations']

function patched (
  [first, ...more]: readonly PatchOperation[], warnings: readonly string[], audit: AuditAnnotations
): Verdict {
  if (first === undefined) return { kind: 'admit', warnings, audit }
  return { kind: 'patch', operations: [first, ...more], warnings, audit }
}

/** What makes the service the one that admission writes. */
function servicePatch (
  object: JsonObject | undefined, { service, block, blockPlace, filled }: Assessment, annotations: Annotations
): PatchOperation[] {
  if (object === undefined) return []
  return [
    ...fieldsPatch(object, SPEC, {
      runtimeConfigName: service.configName,
      resolvedRuntimeConfig: blockPlace === 'spec' ? block : undefined
    }),
    ...filledChanges(object, service, filled).flatMap(([parent, fields]) => fieldsPatch(object, parent, fields)),
    ...fieldsPatch(object, ANNOTATIONS, annotations)
  ]
}

/** By key; undefined removes an annotation. */
type Annotations = Readonly<Record<string, string | undefined>>

function annotationsFor ({ block, blockPlace, filled }: Assessment): Annotations {
  return {
    [BLOCK_ANNOTATION]: blockPlace === 'annotation' && block !== undefined ? blockText(block) : undefined,
    [INJECTED_FIELDS_ANNOTATION]: filledText(filled)
  }
}

/** The API server refuses such a service after this webhook, without saying that admission writes annotations. */
function annotationSizeWarnings (object: JsonObject | undefined, annotations: Annotations): string[] {
  const written = definedFields(annotations)
  if (object === undefined || Object.keys(written).length === 0) return []
  const [own, all] = [annotationBytes(written), annotationBytes({ ...annotationsOf(object), ...written })]
  if (all <= MAX_ANNOTATION_BYTES) return []
  const limit = `the API server allows ${MAX_ANNOTATION_BYTES}`
  return [`metadata.annotations has ${all} bytes, ${own} of them by admission, and ${limit}; ` +
    'remove some, or run kubectl apply --server-side, which keeps no copy of the manifest']
}

/** Sets fields of an object, and removes those that are undefined. Adds the objects around them if necessary. */
function fieldsPatch (object: JsonObject, parent: readonly string[], fields: JsonObject): PatchOperation[] {
  const found = valueAt(object, parent)
  if (!isJsonObject(found)) {
    const missing = parent.findIndex((_, at) => !isJsonObject(valueAt(object, parent.slice(0, at + 1))))
    const set = definedFields(fields)
    const value = parent.slice(missing + 1).reduceRight((inner, name) => ({ [name]: inner }), set)
    return Object.keys(set).length === 0 ? [] : [{ op: 'add', path: pointerTo(parent.slice(0, missing + 1)), value }]
  }
  return Object.entries(fields).flatMap(([name, value]): PatchOperation[] => {
    const before = own(found, name)
    if (value === undefined ? before === undefined : sameJson(value, before)) return []
    const path = pointerTo([...parent, name])
    return [value === undefined ? { op: 'remove', path } : { op: 'add', path, value }]
  })
}

/** Source: RFC 6901. */
function pointerTo (path: readonly string[]): string {
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** Whether the user wrote the block: it equals neither the stored block nor what admission writes. */
function blockIsSupplied ({ service, block }: Assessment, stored: unknown): boolean {
  return service.block !== undefined && !sameJson(block, service.block) && !sameJson(stored, service.block)
}

function suppliedBlock ({ object }: Service): string {
  const isInSpec = own(ownObject(object, 'spec'), 'resolvedRuntimeConfig') !== undefined
  const place = isInSpec ? 'spec.resolvedRuntimeConfig' : `annotation ${BLOCK_ANNOTATION}`
  return `${place} is written by admission only, so the given value was replaced; remove it from the manifest`
}

/** The services in a request: `old` is undefined on CREATE, and if the stored service is malformed. */
type ReviewedService =
  | { readonly kind: 'change', readonly service: Service, readonly old: Service | undefined }
  | { readonly kind: 'deleting', readonly object: JsonObject, readonly oldObject: JsonObject }
  | { readonly kind: 'no-object' }
  | Malformed

/** A service is being deleted if the stored object says so; a request can write any `deletionTimestamp`. */
function readReviewedService ({ object, oldObject, namespace }: ReviewRequest): ReviewedService {
  if (object === undefined) return { kind: 'no-object' }
  if (oldObject !== undefined && isDeleting(oldObject)) return { kind: 'deleting', object, oldObject }
  if (!isJsonObject(own(object, 'spec'))) return { kind: 'malformed', field: 'spec', expected: 'an object' }
  const service = readService(object, namespace, oldObject ?? {})
  if (service.kind === 'malformed') return service
  const old = oldObject === undefined ? undefined : readService(oldObject, namespace)
  return { kind: 'change', service, old: old?.kind === 'service' ? old : undefined }
}

/** Waits for the configuration of a new service, or of a service that names another one. */
function waitForConfigOf (
  { object, oldObject, namespace }: ReviewRequest, { pendingConfigs }: World, signal: () => AbortSignal
): Promise<void> | undefined {
  if (object === undefined || (oldObject !== undefined && isDeleting(oldObject))) return undefined
  const name = configNameOf(object)
  if (name === undefined || (oldObject !== undefined && configNameOf(oldObject) === name)) return undefined
  return pendingConfigs.waitForConfig({ namespace, name }, signal)
}
