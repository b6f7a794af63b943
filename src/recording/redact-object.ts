import { ROLLOUT_ANNOTATION } from '../api/meta.ts'
import { isJsonObject, own, type JsonObject } from '../platform/json.ts'
import { relevantMetadata } from '../core/settings/service.ts'

export interface Redaction {
  /** What stands in for a value: the same for the same value, so that what changes is still seen to change. */
  readonly standIn: (value: string) => string
  /** Names of annotations that a template reads, and that therefore keep their values. */
  readonly kept: ReadonlySet<string>
}

/**
 * An object without what nobody may find in a file: values of `env` and of annotations have stand-ins; status, managed
 * fields and the copy of the applied manifest go.
 */
export function redactObject (object: JsonObject, redaction: Redaction): JsonObject {
  const spec = own(object, 'spec')
  return present({
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata: redactMetadata(relevantMetadata(object), redaction),
    spec: isJsonObject(spec) ? redactSpec(spec, redaction) : spec
  })
}

function redactMetadata (metadata: JsonObject, redaction: Redaction): JsonObject {
  return present({ ...metadata, annotations: redactAnnotations(own(metadata, 'annotations'), redaction) })
}

function redactSpec (spec: JsonObject, redaction: Redaction): JsonObject {
  const routing = own(spec, 'routing')
  return present({
    ...spec,
    env: redactEnv(own(spec, 'env'), redaction),
    routing: isJsonObject(routing)
      ? present({ ...routing, annotations: redactAnnotations(own(routing, 'annotations'), redaction) })
      : routing
  })
}

function redactAnnotations (annotations: unknown, { standIn, kept }: Redaction): unknown {
  if (!isJsonObject(annotations)) return standInFor(annotations, standIn)
  return Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [
      key,
      kept.has(key) || key === ROLLOUT_ANNOTATION ? value : standInFor(value, standIn)
    ])
  )
}

/** Each entry keeps its name and what it refers to, and has a stand-in for its value. */
function redactEnv (env: unknown, { standIn }: Redaction): unknown {
  if (!Array.isArray(env)) return standInFor(env, standIn)
  return env.map((entry: unknown) => {
    if (!isJsonObject(entry)) return standInFor(entry, standIn)
    const { name, valueFrom, ...others } = entry
    return present({ name, ...standInsFor(others, standIn), valueFrom })
  })
}

/** Whatever its type, nothing of it stays but its shape. An empty text is none that could be told. */
function standInFor (value: unknown, standIn: Redaction['standIn']): unknown {
  if (value === undefined || value === null || value === '') return value
  if (Array.isArray(value)) return value.map((item) => standInFor(item, standIn))
  return isJsonObject(value) ? standInsFor(value, standIn) : standIn(JSON.stringify(value))
}

function standInsFor (object: JsonObject, standIn: Redaction['standIn']): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, standInFor(value, standIn)]))
}

/** Made by definition, not assignment: a key `__proto__` is data. */
function present (object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
