import type { ConfigScope } from '../../api/aim-service.ts'
import { ROLLOUT_ANNOTATION } from '../../api/meta.ts'
import {
  CREATION_SCOPES, type CreationScope, type LocalObjectReference, type RuntimeConfigKind
} from '../../api/runtime-config.ts'
import { canonicalJson, configHash } from './hash.ts'
import { nestsAtMost, ownString, type JsonObject } from '../../platform/json.ts'
import { annotationOf, createdAt, generationOf, isDeleting, uidOf } from '../../api/object-meta.ts'
import { compilePathTemplate, type TemplateCompilation } from '../path/template.ts'
import { booleanAt, namesAt, objectAt, reading, stringAt, type Malformed } from './read-fields.ts'
import { routingFieldsOf, type RoutingFields } from './routing-fields.ts'
import { Interner, textInterner } from '../../cache/compact/interner.ts'

/** A runtime configuration as the rules read it. What depends on it alone is computed once, when it arrives. */
export interface RuntimeConfig {
  readonly kind: RuntimeConfigKind
  readonly scope: ConfigScope
  /** Empty for a cluster configuration. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** `metadata.generation`; 0 where there is none, as in a manifest. */
  readonly generation: number
  /** RFC 3339; empty where unknown. */
  readonly createdAt: string
  /** The annotation that steers how a change is carried to the services, as given; empty where there is none. */
  readonly rollout: string
  readonly deleting: boolean
  /** `sha256:` and 64 hex digits. */
  readonly hash: string
  /** The spec as it came, as canonical JSON: what the hash is of. */
  readonly spec: string
  readonly defaultStorageClassName: string | undefined
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly LocalObjectReference[]
  readonly model: { readonly creationScope: CreationScope, readonly autoDiscovery: boolean }
  /** What of `model` the configuration gives itself, and is no default. */
  readonly modelGiven: { readonly creationScope: string | undefined, readonly autoDiscovery: boolean | undefined }
  readonly routing: RoutingFields
  /** `spec.routing.pathTemplate`, compiled; undefined where there is none. */
  readonly template: TemplateCompilation | undefined
}

/** What many configurations have alike, each kept once. */
export class SharedConfigParts {
  readonly texts = textInterner()
  readonly templates = new Interner<TemplateCompilation>(({ source }) => source)
  readonly routings = new Interner<RoutingFields>(JSON.stringify)
  readonly models = new Interner<ReturnType<typeof modelOf>>(JSON.stringify)
  readonly secrets = new Interner<readonly LocalObjectReference[]>(JSON.stringify)
}

/** Reads and compiles a configuration of either kind. */
export function readRuntimeConfig (kind: RuntimeConfigKind, object: JsonObject, shared = new SharedConfigParts()): RuntimeConfig | Malformed {
  return reading(() => {
    const metadata = objectAt(object, 'metadata', 'metadata')
    const spec = objectAt(object, 'spec', 'spec')
    if (!nestsAtMost(spec, MAX_SPEC_DEPTH)) { return { kind: 'malformed', field: 'spec', expected: `at most ${MAX_SPEC_DEPTH} levels of nesting` } }
    const { texts, templates, routings, models, secrets } = shared
    const text = (key: string): string | undefined => texts.of(stringAt(spec, key, `spec.${key}`) ?? '') || undefined
    const routing = routings.of(routingFieldsOf(spec))
    const { pathTemplate } = routing
    const { model, modelGiven } = models.of(modelOf(spec))
    const canonical = canonicalJson(spec)
    return Object.freeze({
      kind,
      scope: kind === 'AIMRuntimeConfig' ? 'Namespace' : 'Cluster',
      namespace: kind === 'AIMRuntimeConfig' ? texts.of(ownString(metadata, 'namespace')) : '',
      name: texts.of(ownString(metadata, 'name')),
      uid: uidOf(object),
      generation: generationOf(object),
      createdAt: texts.of(createdAt(object)),
      rollout: annotationOf(object, ROLLOUT_ANNOTATION),
      deleting: isDeleting(object),
      hash: configHash(canonical),
      spec: canonical,
      defaultStorageClassName: text('defaultStorageClassName'),
      serviceAccountName: text('serviceAccountName'),
      imagePullSecrets: secrets.of(oncePerName(namesAt(spec, 'imagePullSecrets', 'spec.imagePullSecrets'))),
      model,
      modelGiven,
      routing,
      template:
        pathTemplate === undefined
          ? undefined
          : templates.byText(pathTemplate, () => compilePathTemplate(pathTemplate))
    } satisfies RuntimeConfig)
  })
}

/**
 * Whether the object differs from what was read in its status at most. False where the API server did not count its
 * changes.
 */
export function isUnchanged ({ uid, generation, deleting, rollout }: RuntimeConfig, object: JsonObject): boolean {
  return generation > 0 && generation === generationOf(object) && uid === uidOf(object) && deleting === isDeleting(object) &&
    rollout === annotationOf(object, ROLLOUT_ANNOTATION)
}

/** How messages name a configuration: `AIMRuntimeConfig ml-team/default`. */
export function configTitle ({ kind, namespace, name }: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${kind === 'AIMRuntimeConfig' ? `${namespace}/` : ''}${name}`
}

/** Deeper than any schema of the two kinds reaches (4), and far from where a recursive walk would overflow. */
const MAX_SPEC_DEPTH = 32

/** The API server lets a name in once only; a manifest may hold anything, and as much of it. */
function oncePerName (references: readonly LocalObjectReference[]): readonly LocalObjectReference[] {
  return [...new Map(references.toReversed().map((reference) => [reference.name, reference])).values()].toReversed()
}

function modelOf (spec: JsonObject): Pick<RuntimeConfig, 'model' | 'modelGiven'> {
  const model = objectAt(spec, 'model', 'spec.model')
  const creationScope = stringAt(model, 'creationScope', 'spec.model.creationScope')
  const autoDiscovery = booleanAt(model, 'autoDiscovery', 'spec.model.autoDiscovery')
  return {
    model: {
      creationScope: CREATION_SCOPES.find((known) => known === creationScope) ?? 'Cluster',
      autoDiscovery: autoDiscovery ?? true
    },
    modelGiven: { creationScope, autoDiscovery }
  }
}
