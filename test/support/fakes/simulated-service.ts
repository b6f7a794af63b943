import fastJsonPatch from 'fast-json-patch'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { INJECTED_FIELDS_ANNOTATION, LAST_APPLIED_ANNOTATION } from '../../../src/api/meta.ts'
import { annotationOf } from '../../../src/api/object-meta.ts'
import { assessService } from '../../../src/core/settings/assess.ts'
import { FILLABLE_FIELDS, fieldIn, type FillableField } from '../../../src/core/settings/filled-fields.ts'
import { readService } from '../../../src/core/settings/service.ts'
import { stalenessOf } from '../../../src/core/status/staleness.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../../src/core/world.ts'
import { isJsonObject, own, ownObject, sameJson, type JsonObject } from '../../../src/platform/json.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { aRequest, reviewOf } from '../builders/a-review.ts'
import { aConfig, aService } from '../builders/objects.ts'

export type Values = Readonly<Partial<Record<FillableField, unknown>>>
type Path = readonly string[]
interface Manager { readonly name: string, readonly operation: 'Apply' | 'Update', paths: Path[] }

/** The definition of the kind: the operator's sets defaults, the product's sets none. */
export type Definition = 'product' | 'operator'

/** One service in an API server that tracks owners of fields, sets defaults, and calls the webhooks. */
export class SimulatedService {
  inject: PathPolicy['inject'] = 'record,fields'
  live: JsonObject | undefined
  readonly #definition: Definition
  readonly #reinvokes: boolean
  #managers: Manager[] = []
  #engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  #config: JsonObject = {}

  constructor (definition: Definition, reinvokes = false) {
    this.#definition = definition
    this.#reinvokes = reinvokes
  }

  configure (spec: JsonObject, inject: PathPolicy['inject'] = this.inject): void {
    this.inject = inject
    this.#config = spec
    this.#engine = newAdmissionEngine(
      { missingConfig: 'warn', missingBlock: 'refuse' }, { pathPolicy: { ...DEFAULT_PATH_POLICY, inject } }
    )
    this.#engine.sinks.AIMRuntimeConfig.upsert(aConfig(spec))
  }

  serverSideApply (values: Values, name = 'flux'): void {
    const mine = this.#managers.find((manager) => manager.name === name && manager.operation === 'Apply')
    const wanted = objectOf(values)
    const paths = leavesOf(wanted)
    let next = this.#base()
    const others = this.#managers.filter((manager) => manager !== mine)
    for (const path of mine?.paths ?? []) {
      const isKept = paths.some((other) => sameJson(other, path)) ||
        others.some((other) => other.paths.some((owned) => sameJson(owned, path)))
      if (!isKept) next = without(next, path)
    }
    for (const path of paths) next = withLeaf(next, path, leaf(wanted, path))
    next = pruned(next)
    this.#managers = [
      ...others.map((manager) => ({
        ...manager,
        paths: manager.paths.filter((path) =>
          sameJson(leaf(next, path) ?? null, leaf(this.#base(), path) ?? null) && leaf(next, path) !== undefined)
      })),
      { name, operation: 'Apply', paths }
    ]
    this.#store(next, undefined)
  }

  clientSideApply (values: Values): void {
    const manifest = objectOf(values)
    const base = this.#base()
    const before = JSON.parse(annotationOf(base, LAST_APPLIED_ANNOTATION) || '{}') as JsonObject
    let next = base
    for (const path of mergeLeaves(before)) if (leaf(manifest, path) === undefined) next = without(next, path)
    for (const path of mergeLeaves(manifest)) next = withLeaf(next, path, leaf(manifest, path))
    next = withLeaf(pruned(next), ['metadata', 'annotations', LAST_APPLIED_ANNOTATION], JSON.stringify(manifest))
    this.#store(next, 'kubectl-client-side-apply')
  }

  /** Undefined removes the field. */
  patch (field: FillableField, value: unknown): void {
    const path = field.split('.')
    const next = value === undefined ? without(this.#base(), path) : withLeaf(this.#base(), path, value)
    this.#store(pruned(next), 'kubectl-patch')
  }

  replace (copy: JsonObject): void {
    this.#store(copy, 'kubectl-replace')
  }

  annotate (key: string, value: string): void {
    this.#store(withLeaf(this.#base(), ['metadata', 'annotations', key], value), 'kubectl-annotate')
  }

  /** An empty patch, as the reconciler sends it. */
  trigger (): void {
    this.#store(this.#base(), 'aim-admission')
  }

  values (): Values {
    return normalized(Object.fromEntries(FILLABLE_FIELDS.flatMap((field) => {
      const value = fieldIn(this.live ?? {}, field)
      return value === undefined || sameJson([], value) ? [] : [[field, value]]
    })))
  }

  filled (): string[] {
    return Object.keys(JSON.parse(annotationOf(this.live ?? {}, INJECTED_FIELDS_ANNOTATION) || '{}') as object)
  }

  /** What a service of these own values gets. */
  expected (ownValues: Values) {
    const service = readService(withLabels(objectOf(ownValues)), 'ml-team')
    if (service.kind === 'malformed') throw new Error(service.field)
    const assessment = assessService(service, this.#engine.world, undefined)
    return { block: assessment.block, values: normalized({ ...assessment.filled, ...ownValues }) }
  }

  /** How the caches see it. */
  staleness (): string {
    this.#engine.sinks.AIMService.upsert(this.live ?? {})
    const service = this.#engine.services.get({ namespace: 'ml-team', name: 'llama-chat' })?.parse()
    if (service === undefined) throw new Error('not stored')
    return stalenessOf(assessService(service, this.#engine.world, service))
  }

  #base (): JsonObject {
    return this.live ?? aService({ labels: { team: 'nlp' } })
  }

  #store (sent: JsonObject, updater: string | undefined): void {
    let object = this.#defaulted(sent)
    if (updater !== undefined) this.#own(object, updater)
    object = { ...object, metadata: { ...ownObject(object, 'metadata'), managedFields: this.#managedFields() } }
    const rounds = this.#reinvokes ? 2 : 1
    for (let round = 0; round < rounds; round++) object = this.#defaulted(this.#mutated(object))
    const again = this.#decide('/mutate/aimservices', object)
    if (again.kind !== 'admit') throw new Error(`a reinvocation changed the service: ${JSON.stringify(again)}`)
    const verdict = this.#decide('/validate/aimservices', object)
    if (verdict.kind !== 'admit') throw new Error(JSON.stringify(verdict))
    this.live = object
    this.configure(this.#config)
  }

  /** An Update owns what it changes, and what it removes has no owner. */
  #own (object: JsonObject, name: string): void {
    const before = this.live ?? {}
    const changed = leavesOf(object).filter((path) => !sameJson(leaf(object, path), leaf(before, path)))
    this.#managers = this.#managers.map((manager) => ({
      ...manager,
      paths: manager.paths.filter((path) =>
        leaf(object, path) !== undefined && sameJson(leaf(object, path), leaf(before, path)))
    }))
    const mine = this.#managers.find((manager) => manager.name === name && manager.operation === 'Update')
    if (mine !== undefined) mine.paths = [...mine.paths, ...changed]
    else if (changed.length > 0) this.#managers.push({ name, operation: 'Update', paths: changed })
  }

  #managedFields (): JsonObject[] {
    return this.#managers.filter(({ paths }) => paths.length > 0).map(({ name, operation, paths }) => {
      const fieldsV1: JsonObject = {}
      for (const path of paths) {
        let at = fieldsV1 as Record<string, JsonObject>
        for (const step of path) {
          const key = step.startsWith('{') ? `k:${step}` : `f:${step}`
          at = (at[key] ??= {}) as Record<string, JsonObject>
        }
      }
      return { manager: name, operation, apiVersion: 'aim.silogen.ai/v1alpha1', fieldsType: 'FieldsV1', fieldsV1 }
    })
  }

  #defaulted (object: JsonObject): JsonObject {
    if (this.#definition === 'product') return object
    const routing = own(ownObject(object, 'spec'), 'routing')
    if (!isJsonObject(routing)) return object
    const gatewayRef = own(routing, 'gatewayRef')
    return withLeaf(object, ['spec', 'routing'], {
      enabled: false,
      ...routing,
      ...(isJsonObject(gatewayRef) && {
        gatewayRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', ...gatewayRef }
      })
    })
  }

  #mutated (object: JsonObject): JsonObject {
    const verdict = this.#decide('/mutate/aimservices', object)
    if (verdict.kind !== 'patch') return object
    const operations = structuredClone([...verdict.operations]) as fastJsonPatch.Operation[]
    return fastJsonPatch.applyPatch(structuredClone(object), operations, true).newDocument
  }

  #decide (path: string, object: JsonObject): Verdict {
    const decoded = decodeReview(Buffer.from(reviewOf(aRequest({
      operation: this.live === undefined ? 'CREATE' : 'UPDATE', object, oldObject: this.live ?? null
    }))))
    const webhook = this.#engine.webhooks.find((candidate) => candidate.path === path)
    if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
    return webhook.decide(decoded.request)
  }
}

function withLabels (object: JsonObject): JsonObject {
  return { ...object, metadata: { ...ownObject(object, 'metadata'), labels: { team: 'nlp' } } }
}

function objectOf (values: Values): JsonObject {
  const object = aService({ labels: { team: 'nlp' } })
  return FILLABLE_FIELDS.reduce((before, field) =>
    values[field] === undefined ? before : withLeaf(before, field.split('.'), values[field]), object)
}

/** Without defaults, and lists by name: server-side apply merges them in an order of its own. */
export function normalized (values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([field, value]) =>
    [field, Array.isArray(value) ? value.toSorted(byJson) : withoutGatewayDefaults(value)]))
}

function withoutGatewayDefaults (value: unknown): unknown {
  if (!isJsonObject(value)) return value
  const isDefault = (key: string, part: unknown): boolean =>
    (key === 'group' && part === 'gateway.networking.k8s.io') || (key === 'kind' && part === 'Gateway')
  return Object.fromEntries(Object.entries(value).filter(([key, part]) => !isDefault(key, part)))
}

function byJson (a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

/** The key of an entry of a list, as in managed fields. */
function keyOf (item: JsonObject): string {
  return JSON.stringify({ name: item['name'] })
}

/** Parts of a block that the definition of the kind, or server-side apply, can write in another way. */
export function withoutOrder (block: unknown): unknown {
  const { routing, imagePullSecrets, ...others } = isJsonObject(block) ? block : {}
  const { gatewayRef, ...settings } = isJsonObject(routing) ? routing : {}
  return {
    ...others,
    settings,
    ...normalized({
      'spec.imagePullSecrets': imagePullSecrets ?? null, 'spec.routing.gatewayRef': gatewayRef ?? null
    })
  }
}

/** Paths of single values; an entry of a list of names has its key as the last step. */
function leavesOf (value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return value.map((item: JsonObject) => [...path, keyOf(item)])
  if (!isJsonObject(value)) return [path]
  return Object.entries(value).flatMap(([key, part]) =>
    key === 'managedFields' || key === 'resolvedRuntimeConfig' ? [] : leavesOf(part, [...path, key]))
}

/** As JSON merge patch sees it: lists are whole. */
function mergeLeaves (value: unknown, path: Path = []): Path[] {
  if (!isJsonObject(value)) return [path]
  return Object.entries(value).flatMap(([key, part]) => mergeLeaves(part, [...path, key]))
}

function leaf (object: JsonObject, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value.find((item: JsonObject) => keyOf(item) === step) as unknown
    return isJsonObject(value) ? own(value, step) : undefined
  }, object)
}

function withLeaf (object: JsonObject, [step = '', ...more]: Path, value: unknown): JsonObject {
  if (more.length === 0) return { ...object, [step]: value }
  if (more[0]?.startsWith('{') === true) {
    const list = (own(object, step) ?? []) as JsonObject[]
    const others = list.filter((item) => keyOf(item) !== more[0])
    return others.length < list.length ? object : { ...object, [step]: [...list, value] }
  }
  return { ...object, [step]: withLeaf(ownObject(object, step), more, value) }
}

function without (object: JsonObject, [step = '', ...more]: Path): JsonObject {
  if (own(object, step) === undefined) return object
  if (more.length === 0) {
    const { [step]: removed, ...rest } = object
    return rest
  }
  if (more[0]?.startsWith('{') === true) {
    const list = own(object, step) as JsonObject[]
    return { ...object, [step]: list.filter((item) => keyOf(item) !== more[0]) }
  }
  return { ...object, [step]: without(ownObject(object, step), more) }
}

/** Server-side apply removes an empty parent that has no owner. */
function pruned (object: JsonObject): JsonObject {
  const spec = ownObject(object, 'spec')
  const routing = own(spec, 'routing')
  let next = spec
  if (isJsonObject(routing)) {
    const gatewayRef = own(routing, 'gatewayRef')
    const isNameless = isJsonObject(gatewayRef) && own(gatewayRef, 'name') === undefined
    if (isNameless) next = without(next, ['routing', 'gatewayRef'])
    if (Object.keys(ownObject(next, 'routing')).length === 0) next = without(next, ['routing'])
  }
  return { ...object, spec: next }
}
