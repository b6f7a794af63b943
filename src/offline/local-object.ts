import { KINDS, type Kind } from '../api/kinds.ts'
import { DEFAULT_NAMESPACE, GROUP } from '../api/meta.ts'
import { fullName, keyOf } from '../api/object-meta.ts'
import { decodeObject, validateObject, type FieldError } from '../api/validate-object.ts'
import type { ObjectKey } from '../core/ports.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import { escapeHidden, printable } from '../platform/printable.ts'
import { didYouMean } from '../platform/similar-name.ts'
import { readManifests, type Manifest, type ManifestFault } from './read-manifests.ts'

/** An object of one of our kinds after the steps that the API server performs before it calls a webhook. */
export interface LocalObject {
  readonly kind: Kind
  /** The name is empty with generateName. */
  readonly key: ObjectKey
  /** As in the manifest. */
  readonly written: JsonObject
  /** With namespace and defaults. */
  readonly object: JsonObject
  /** Violations of the schema. */
  readonly errors: readonly FieldError[]
}

/** An object with its place in a file. */
export interface GivenObject extends LocalObject, Pick<Manifest, 'position' | 'positionOf'> {
  /** As given by the user; `stdin` for standard input. */
  readonly file: string
}

/** Reads the objects of our kinds in a text; other kinds are skipped. */
export function readLocalObjects (text: string, file: string, namespace?: string): {
  readonly objects: readonly GivenObject[]
  readonly faults: readonly ManifestFault[]
} {
  const { manifests, faults } = readManifests(text)
  const objects = manifests.flatMap(({ object, position, positionOf }) => {
    const local = localObject(object, namespace)
    return local === undefined ? [] : [{ ...local, file, position, positionOf }]
  })
  const misspelled = manifests.flatMap(({ object, position }) =>
    misspelledKind(object).map((reason) => ({ position, reason })))
  return { objects, faults: [...faults, ...misspelled] }
}

/** Why the API server would know no such kind, if it is almost one of ours. */
function misspelledKind (manifest: JsonObject): string[] {
  const [kind, apiVersion] = [ownString(manifest, 'kind'), ownString(manifest, 'apiVersion')]
  const [group = ''] = apiVersion.split('/')
  const isOurs = KINDS.some((known) => known.kind === kind)
  const remark = isOurs && group !== GROUP
    ? didYouMean(group, [GROUP])
    : group === GROUP && !isOurs ? didYouMean(kind, KINDS.map((known) => known.kind)) : ''
  return remark === '' ? [] : [printable(`there is no kind ${kind} in ${apiVersion}${remark}`)]
}

/** Undefined for an object of another kind. The namespace is that of a manifest without one. */
export function localObject (manifest: JsonObject, namespace = DEFAULT_NAMESPACE): LocalObject | undefined {
  const kind = KINDS.find(
    (known) => known.kind === manifest['kind'] && ownString(manifest, 'apiVersion').startsWith(`${GROUP}/`)
  )
  if (kind === undefined) return undefined
  const isNamespaced = kind.scope === 'Namespaced'
  const object = decodeObject(kind.kind, isNamespaced ? withNamespace(manifest, namespace) : manifest)
  const key = isNamespaced ? keyOf(object) : { ...keyOf(object), namespace: '' }
  return { kind, key, written: manifest, object, errors: validateObject(kind.kind, object) }
}

/** An object's name in messages: `AIMService ml-team/llama-chat`; with generateName `AIMService ml-team/llama-*`. */
export function objectTitle ({ kind, key: { namespace, name }, object }: LocalObject): string {
  const shown = name === '' ? `${ownString(ownObject(object, 'metadata'), 'generateName')}*` : name
  return escapeHidden(`${kind.kind} ${fullName({ namespace, name: shown })}`)
}

function withNamespace (object: JsonObject, namespace: string): JsonObject {
  const metadata = own(object, 'metadata')
  if (!isJsonObject(metadata) || (own(metadata, 'namespace') ?? '') !== '') return object
  return { ...object, metadata: { ...metadata, namespace } }
}
