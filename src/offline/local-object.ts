import { decodeObject } from '../api/decode-object.ts'
import { KINDS, type Kind } from '../api/kinds.ts'
import { GROUP } from '../api/meta.ts'
import { validateObject, type FieldError } from '../api/validate-object.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { ObjectKey } from '../core/ports.ts'

/**
 * An object of one of our kinds, made of a manifest by the steps that the API server takes before it asks a webhook.
 */
export interface LocalObject {
  readonly kind: Kind
  /** The name is empty under generateName. */
  readonly key: ObjectKey
  /** As the manifest has it. */
  readonly written: JsonObject
  /** In its namespace, with defaults filled in. */
  readonly object: JsonObject
  /** Empty: the schema allows it. */
  readonly errors: readonly FieldError[]
}

/** Undefined for an object of another kind. */
export function localObject (manifest: JsonObject): LocalObject | undefined {
  const kind = KINDS.find(
    (known) => known.kind === manifest['kind'] && ownString(manifest, 'apiVersion').startsWith(`${GROUP}/`)
  )
  if (kind === undefined) return undefined
  const object = decodeObject(kind.kind, kind.scope === 'Namespaced' ? inNamespace(manifest) : manifest)
  const metadata = ownObject(object, 'metadata')
  return {
    kind,
    key: {
      namespace: kind.scope === 'Namespaced' ? ownString(metadata, 'namespace') : '',
      name: ownString(metadata, 'name')
    },
    written: manifest,
    object,
    errors: validateObject(kind.kind, object)
  }
}

/** How messages name an object: `AIMService ml-team/llama-chat`; under generateName `AIMService ml-team/llama-*`. */
export function objectTitle ({ kind, key: { namespace, name }, object }: LocalObject): string {
  const called = name === '' ? `${ownString(ownObject(object, 'metadata'), 'generateName')}*` : name
  return `${kind.kind} ${namespace === '' ? '' : `${namespace}/`}${called}`
}

/** As kubectl does where neither a flag nor a context says otherwise. */
const DEFAULT_NAMESPACE = 'default'

function inNamespace (object: JsonObject): JsonObject {
  const metadata = own(object, 'metadata')
  if (!isJsonObject(metadata) || own(metadata, 'namespace') !== undefined) return object
  return { ...object, metadata: { ...metadata, namespace: DEFAULT_NAMESPACE } }
}
