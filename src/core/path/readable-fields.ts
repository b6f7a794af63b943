import { INJECTED_FIELDS_ANNOTATION, LAST_APPLIED_ANNOTATION, BLOCK_ANNOTATION } from '../../api/meta.ts'
import { definedFields, isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { spend, type Budget, type PathStep } from './selection.ts'

/** A part of the service that expressions may read only in part: the root, `.metadata` or `.spec`. */
export type Place = '' | '.metadata' | '.spec'

/** The metadata that expressions may read: no write changes these fields behind the user's back. */
export const READABLE_METADATA: readonly string[] = [
  'name', 'namespace', 'uid', 'creationTimestamp', 'generateName', 'labels', 'annotations', 'ownerReferences',
  'finalizers'
]
const READABLE_ROOT: readonly string[] = ['apiVersion', 'kind', 'metadata', 'spec']
/** The spec field that no expression may read. */
const WITHHELD_SPEC = 'resolvedRuntimeConfig'

/** A field that no expression may read. */
interface WithheldField {
  /** From the root of the service: `.metadata.generation`. */
  readonly path: string
  /** Why paths cannot use it; undefined if no service has such a field. */
  readonly why: string | undefined
  /** The path that the author probably meant. */
  readonly instead: string | undefined
}

/** The first withheld field that the steps name. `viewOf` hides those that a wildcard would reach. */
export function withheldField (steps: readonly PathStep[]): WithheldField | undefined {
  let place: Place | typeof ANNOTATIONS | undefined = ''
  for (const step of steps) {
    if (place === undefined) return undefined
    for (const name of namesOf(step)) {
      const withheld = withheldAt(place, name)
      if (withheld !== undefined) return withheld
    }
    place = WALKED.find((inner) => step.kind === 'field' && inner === `${place}.${step.name}`)
  }
  return undefined
}

/** The names of a place that expressions may read, of those that the definition has. */
export function readableNames (path: ReadonlyArray<string | number>, names: readonly string[]): readonly string[] {
  switch (placeAt(path)) {
    case '': return READABLE_ROOT
    case '.metadata': return READABLE_METADATA
    case '.spec': return names.filter((name) => name !== WITHHELD_SPEC)
    default: return names
  }
}

/** A shallow copy of the value at a place, without the withheld fields; undefined without a value. */
export function viewOf (service: JsonObject, place: Place, budget: Budget): unknown {
  switch (place) {
    case '': return definedFields({
      apiVersion: own(service, 'apiVersion'),
      kind: own(service, 'kind'),
      metadata: viewOf(service, '.metadata', budget),
      spec: viewOf(service, '.spec', budget)
    })
    case '.metadata': {
      const metadata = ownObject(service, 'metadata')
      const fields = READABLE_METADATA.map((key) => [key, awaited(metadata, key) ?? own(metadata, key)])
      return definedFields(Object.fromEntries(fields) as JsonObject)
    }
    case '.spec': return specView(own(service, 'spec'), budget)
  }
}

/** A symbol that stands for a field that the API server sets after mutating admission; undefined once it is set. */
export function awaited (metadata: JsonObject, key: string): symbol | undefined {
  if ((own(metadata, key) ?? '') !== '') return undefined
  return key === 'name' && ownString(metadata, 'generateName') === '' ? undefined : AWAITED.get(key)
}

/** The full path of a bare field name: `.metadata.name` for `name`; an unknown name is taken for a label. */
export function rooted (name: string): string {
  if (READABLE_ROOT.includes(name)) return `.${name}`
  return READABLE_METADATA.includes(name) ? `.metadata.${name}` : `.metadata.labels['${name}']`
}

/** The place at the end of a path, if it is one. */
export function placeAt (fields: readonly (string | number)[]): Place | undefined {
  const path = fields.map((field) => `.${field}`).join('')
  return PLACES.find((place) => place === path)
}

const PLACES: readonly Place[] = ['', '.metadata', '.spec']
const ANNOTATIONS = '.metadata.annotations'
/** Where names are looked at. */
const WALKED: ReadonlyArray<Place | typeof ANNOTATIONS> = [...PLACES, ANNOTATIONS]

const RESULT = 'it is the result of admission and contains the path itself'
const REASONS = new Map([
  ['.status', 'it is written after admission'],
  ...['resourceVersion', 'generation', 'managedFields'].map((field) =>
    [`.metadata.${field}`, 'it changes with every write'] as const),
  ...['deletionTimestamp', 'deletionGracePeriodSeconds'].map((field) =>
    [`.metadata.${field}`, 'it is set only while the service is being deleted'] as const),
  [`.spec.${WITHHELD_SPEC}`, RESULT],
  [`${ANNOTATIONS}.${BLOCK_ANNOTATION}`, RESULT],
  [`${ANNOTATIONS}.${INJECTED_FIELDS_ANNOTATION}`, RESULT],
  [`${ANNOTATIONS}.${LAST_APPLIED_ANNOTATION}`, 'it is kubectl\'s copy of the manifest']
])

function withheldAt (place: Place | typeof ANNOTATIONS, name: string): WithheldField | undefined {
  const path = `${place}.${name}`
  const why = REASONS.get(path)
  if (why !== undefined) return { path, why, instead: undefined }
  if (place === '.spec' || place === ANNOTATIONS) return undefined
  if ((place === '' ? READABLE_ROOT : READABLE_METADATA).includes(name)) return undefined
  return { path, why, instead: intended(place, name) }
}

/** A quoted dotted path, or the field with the most similar name among those with the same beginning. */
function intended (place: '' | '.metadata', name: string): string | undefined {
  if (name.includes('.')) return `${place}.${name}`
  const candidates = place === '' ? [...READABLE_ROOT.map((known) => `.${known}`), ...METADATA_PATHS] : METADATA_PATHS
  const written = name.toLowerCase()
  const near = candidates.map((path) => ({ path, known: path.slice(path.lastIndexOf('.') + 1).toLowerCase() }))
    .filter(({ known }) => written !== '' && (known.startsWith(written) || written.startsWith(known)))
  const distance = ({ known }: { known: string }): number => Math.abs(known.length - written.length)
  return near.toSorted((a, b) => distance(a) - distance(b))[0]?.path
}

const METADATA_PATHS = READABLE_METADATA.map((known) => `.metadata.${known}`)

function namesOf (step: PathStep): string[] {
  if (step.kind === 'union') return step.members.flatMap(namesOf)
  return step.kind === 'field' ? [step.name] : []
}

const AWAITED = new Map(['name', 'uid', 'creationTimestamp'].map((key) => [key, Symbol(`metadata.${key}`)]))

function specView (spec: unknown, budget: Budget): unknown {
  if (!isJsonObject(spec) || !Object.hasOwn(spec, WITHHELD_SPEC)) return spec
  spend(budget, Object.keys(spec).length)
  return definedFields({ ...spec, [WITHHELD_SPEC]: undefined })
}
