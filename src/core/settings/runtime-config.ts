import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import canonicalize from 'canonicalize'
import type { ConfigScope } from '../../api/aim-service.ts'
import { BUILTIN_KIND } from '../../api/kinds.ts'
import { DEFAULT_CONFIG_NAME, ROLLOUT_ANNOTATION } from '../../api/meta.ts'
import { annotationOf, createdAt, generationOf, isDeleting, keyText, uidOf } from '../../api/object-meta.ts'
import type { CreationScope, RuntimeConfigKind } from '../../api/runtime-config.ts'
import { fitsText, nestsAtMost, ownString, type JsonObject } from '../../platform/json.ts'
import { compilePathTemplate, type TemplateCompilation } from '../path/template.ts'
import {
  booleanAt, namesAt, objectAt, orMalformed, routingAt, stringAt, type Malformed, type RoutingFields
} from './read-fields.ts'

/** A runtime configuration as the rules read it. What depends on it alone is computed once, when it arrives. */
export interface RuntimeConfig {
  readonly kind: RuntimeConfigKind
  readonly scope: ConfigScope
  /** Empty for a cluster configuration. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** `metadata.generation`; 0 if unset, as in a manifest. */
  readonly generation: number
  /** RFC 3339; empty if unknown. */
  readonly createdAt: string
  /** Value of the rollout annotation; empty if unset. */
  readonly rollout: string
  readonly deleting: boolean
  /** Whether the spec is too large to be kept; then hash and spec are empty. */
  readonly oversized: boolean
  /** `sha256:` and 64 hex digits. */
  readonly hash: string
  /** The spec as RFC 8785 canonical JSON, the input of the hash. */
  readonly spec: string
  readonly defaultStorageClassName: string | undefined
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly string[]
  readonly model: { readonly creationScope: CreationScope | undefined, readonly autoDiscovery: boolean | undefined }
  readonly routing: RoutingFields
  /** `spec.routing.pathTemplate`, compiled; undefined if unset. */
  readonly template: TemplateCompilation | undefined
}

/** Built-in defaults, which stand for a missing configuration `default`: no object of the cluster. */
export interface BuiltinConfig extends Omit<RuntimeConfig, 'kind'> { readonly kind: typeof BUILTIN_KIND }

/** What a service gets its settings from. */
export type UsedConfig = RuntimeConfig | BuiltinConfig

/** How long a new configuration takes at most to reach every replica, in milliseconds. */
export const PROPAGATION_MS = 5_000

/** Reads and compiles a configuration of either kind. */
export function readRuntimeConfig (kind: RuntimeConfigKind, object: JsonObject): RuntimeConfig | Malformed {
  return orMalformed(() => {
    const metadata = objectAt(object, 'metadata', 'metadata')
    const spec = objectAt(object, 'spec', 'spec')
    if (!nestsAtMost(spec, MAX_SPEC_DEPTH)) {
      return { kind: 'malformed', field: 'spec', expected: `at most ${MAX_SPEC_DEPTH} levels of nesting` }
    }
    const routing = routingAt(spec)
    const canonical = canonicalSpec(spec)
    return Object.freeze({
      kind,
      scope: kind === 'AIMRuntimeConfig' ? 'Namespace' : 'Cluster',
      namespace: kind === 'AIMRuntimeConfig' ? ownString(metadata, 'namespace') : '',
      name: ownString(metadata, 'name'),
      uid: uidOf(object),
      generation: generationOf(object),
      createdAt: createdAt(object),
      rollout: rolloutOf(object),
      deleting: isDeleting(object),
      oversized: canonical === undefined,
      hash: canonical === undefined ? '' : configHash(canonical),
      spec: canonical ?? '',
      defaultStorageClassName: stringAt(spec, 'defaultStorageClassName', 'spec.defaultStorageClassName') || undefined,
      serviceAccountName: stringAt(spec, 'serviceAccountName', 'spec.serviceAccountName') || undefined,
      imagePullSecrets: namesAt(spec, 'imagePullSecrets', 'spec.imagePullSecrets'),
      model: modelAt(spec),
      routing,
      template: routing.pathTemplate === undefined ? undefined : compilePathTemplate(routing.pathTemplate)
    } satisfies RuntimeConfig)
  })
}

/** In characters of canonical JSON. A larger configuration is refused, and not kept. */
export const MAX_SPEC_CHARACTERS = 64 * 1024

/** Undefined if the spec is too large: the canonical form and the hash of 1 MB would take 60 ms. */
function canonicalSpec (spec: JsonObject): string | undefined {
  const canonical = fitsText(spec, MAX_SPEC_CHARACTERS) ? canonicalize(spec) : undefined
  return canonical !== undefined && canonical.length <= MAX_SPEC_CHARACTERS ? canonical : undefined
}

/** Longer than each valid value of the annotation. */
const MAX_ROLLOUT = 64

/** A long value is kept as a short invalid one: an annotation can have 256 KiB. */
function rolloutOf (object: JsonObject): string {
  const rollout = annotationOf(object, ROLLOUT_ANNOTATION)
  return rollout.length > MAX_ROLLOUT ? 'too long' : rollout
}

/** Whether the object differs from `config` in its status at most. False if the object has no generation. */
export function isUnchanged ({ uid, generation, deleting, rollout }: RuntimeConfig, object: JsonObject): boolean {
  return generation > 0 && generation === generationOf(object) && uid === uidOf(object) &&
    deleting === isDeleting(object) &&
    rollout === rolloutOf(object)
}

/** A configuration in messages: `AIMRuntimeConfig ml-team/default`. */
export function configTitle ({ kind, namespace, name }: Pick<UsedConfig, 'kind' | 'namespace' | 'name'>): string {
  if (kind === BUILTIN_KIND) return 'the built-in defaults'
  return `${kind} ${kind === 'AIMRuntimeConfig' ? keyText({ namespace, name }) : name}`
}

/** A hash in messages: twelve digits tell versions apart. */
export function shortHash (hash: string): string {
  return hash.slice(0, 'sha256:'.length + 12)
}

/** Deeper than the schemas of the two kinds (4 levels), and safe for recursive walks. */
const MAX_SPEC_DEPTH = 32

function modelAt (spec: JsonObject): RuntimeConfig['model'] {
  const model = objectAt(spec, 'model', 'spec.model')
  const scope = stringAt(model, 'creationScope', 'spec.model.creationScope')
  return {
    creationScope: scope === 'Cluster' || scope === 'Namespace' ? scope : undefined,
    autoDiscovery: booleanAt(model, 'autoDiscovery', 'spec.model.autoDiscovery')
  }
}

function configHash (canonical: string): string {
  const digits = Array.from(sha256(utf8ToBytes(canonical)), (byte) => byte.toString(16).padStart(2, '0'))
  return ['sha256:', ...digits].join('') // V8 keeps the parts of a sum in memory, 20 times the size of the text
}

export const BUILTIN_CONFIG: BuiltinConfig = Object.freeze({
  // a configuration without a spec, which is well-formed
  ...readRuntimeConfig('AIMClusterRuntimeConfig', { metadata: { name: DEFAULT_CONFIG_NAME } }) as RuntimeConfig,
  kind: BUILTIN_KIND
})
