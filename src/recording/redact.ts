import { INJECTED_FIELDS_ANNOTATION, RECORD_ANNOTATION, ROLLOUT_ANNOTATION } from '../api/meta.ts'
import { relevantMetadata } from '../core/settings/service.ts'
import { isJsonObject, own, type JsonObject } from '../platform/json.ts'

export interface Redaction {
  /** Replaces a value; equal values get equal placeholders, so that changes stay visible. */
  readonly placeholder: (value: string) => string
  /** Names of annotations that a template reads; they keep their values. */
  readonly kept: ReadonlySet<string>
}

/** Replaces the values of `env` and annotations, and removes status, managed fields and the last applied manifest. */
export function redactObject (object: JsonObject, redaction: Redaction): JsonObject {
  const metadata = relevantMetadata(object)
  const spec = own(object, 'spec')
  return withoutUndefined({
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata: withoutUndefined({
      ...metadata, annotations: redactAnnotations(own(metadata, 'annotations'), redaction)
    }),
    spec: isJsonObject(spec) ? redactSpec(spec, redaction) : spec
  })
}

function redactSpec (spec: JsonObject, redaction: Redaction): JsonObject {
  const routing = own(spec, 'routing')
  return withoutUndefined({
    ...spec,
    env: redactEnv(own(spec, 'env'), redaction),
    routing: isJsonObject(routing)
      ? withoutUndefined({ ...routing, annotations: redactAnnotations(own(routing, 'annotations'), redaction) })
      : routing
  })
}

const KEPT_ANNOTATIONS = new Set([ROLLOUT_ANNOTATION, RECORD_ANNOTATION, INJECTED_FIELDS_ANNOTATION])

function redactAnnotations (annotations: unknown, { placeholder, kept }: Redaction): unknown {
  if (!isJsonObject(annotations)) return redactValue(annotations, placeholder)
  return Object.fromEntries(Object.entries(annotations).map(([key, value]) => {
    const isKept = kept.has(key) || KEPT_ANNOTATIONS.has(key)
    return [key, isKept ? value : redactValue(value, placeholder)]
  }))
}

/** Keeps the name and the reference of each entry. */
function redactEnv (env: unknown, { placeholder }: Redaction): unknown {
  if (!Array.isArray(env)) return redactValue(env, placeholder)
  return env.map((entry: unknown) => {
    if (!isJsonObject(entry)) return redactValue(entry, placeholder)
    const { name, valueFrom, ...others } = entry
    return withoutUndefined({ name, ...redactValues(others, placeholder), valueFrom })
  })
}

/** Keeps only the shape of a value of any type. An empty string reveals nothing and stays. */
function redactValue (value: unknown, placeholder: Redaction['placeholder']): unknown {
  if (value === undefined || value === null || value === '') return value
  if (Array.isArray(value)) return value.map((item) => redactValue(item, placeholder))
  return isJsonObject(value) ? redactValues(value, placeholder) : placeholder(JSON.stringify(value))
}

function redactValues (object: JsonObject, placeholder: Redaction['placeholder']): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, redactValue(value, placeholder)]))
}

/** `fromEntries` defines properties, so a key `__proto__` is data. */
function withoutUndefined (object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
