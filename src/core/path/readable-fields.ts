import type { Step } from './step.ts'

/** The object, or one of the two inside it, of which an expression may read a part only. */
export type Place = '' | '.metadata' | '.spec'

/** The metadata fields that an expression may read: those that no write changes behind the user's back. */
export const READABLE_METADATA: readonly string[] = [
  'name', 'namespace', 'uid', 'creationTimestamp', 'generateName', 'labels', 'annotations', 'ownerReferences', 'finalizers'
]
const READABLE_ROOT: readonly string[] = ['apiVersion', 'kind', 'metadata', 'spec']
/** The one spec field that no expression may read. */
export const WITHHELD_SPEC = 'resolvedRuntimeConfig'

/** A field that no expression may read. */
export interface Withheld {
  /** From the root of the service: `.metadata.generation`. */
  readonly path: string
  /** Why a service has it and a path cannot be made of it; undefined where a service never has it. */
  readonly why: string | undefined
  /** The path that was probably meant. */
  readonly instead: string | undefined
}

/**
 * The first field that the steps name and no expression may read; undefined where there is none. What wildcards reach
 * is left to the view.
 */
export function withheldField (steps: readonly Step[]): Withheld | undefined {
  let place: Place | undefined = ''
  for (const step of steps) {
    if (place === undefined) return undefined
    for (const name of namesOf(step)) {
      const withheld = withheldAt(place, name)
      if (withheld !== undefined) return withheld
    }
    place = PLACES.find((inner) => step.kind === 'field' && inner === `${place}.${step.name}`)
  }
  return undefined
}

/**
 * Where a field written without its parents belongs: `.metadata.name` for `name`. Any other name is taken for a label.
 */
export function rooted (name: string): string {
  if (READABLE_ROOT.includes(name)) return `.${name}`
  return READABLE_METADATA.includes(name) ? `.metadata.${name}` : `.metadata.labels['${name}']`
}

/** The place that fields lead to, where it is one. */
export function placeAt (fields: readonly (string | number)[]): Place | undefined {
  const path = fields.map((field) => `.${field}`).join('')
  return PLACES.find((place) => place === path)
}

const PLACES: readonly Place[] = ['', '.metadata', '.spec']

const REASONS = new Map([
  ['.status', 'it is written after admission'],
  ['.metadata.resourceVersion', 'it changes with every write'],
  ['.metadata.generation', 'it changes with every write'],
  ['.metadata.managedFields', 'it changes with every write'],
  ['.metadata.deletionTimestamp', 'it is set only while the service is deleted'],
  ['.metadata.deletionGracePeriodSeconds', 'it is set only while the service is deleted'],
  [`.spec.${WITHHELD_SPEC}`, 'it is the result of admission, which the path is a part of']
])

function withheldAt (place: Place, name: string): Withheld | undefined {
  const path = `${place}.${name}`
  const why = REASONS.get(path)
  if (why !== undefined) return { path, why, instead: undefined }
  if (place === '.spec' || (place === '' ? READABLE_ROOT : READABLE_METADATA).includes(name)) return undefined
  return { path, why, instead: intended(place, name) }
}

/**
 * What was probably meant: the dotted path that stands in quotes, or the field whose name differs least among those
 * that begin alike.
 */
function intended (place: '' | '.metadata', name: string): string | undefined {
  if (name.includes('.')) return `${place}.${name}`
  const candidates = place === '' ? [...READABLE_ROOT.map((known) => `.${known}`), ...METADATA_PATHS] : METADATA_PATHS
  const distance = (path: string): number => Math.abs(path.length - path.lastIndexOf('.') - 1 - name.length)
  return candidates
    .filter((path) => beginAlike(path.slice(path.lastIndexOf('.') + 1), name))
    .toSorted((a, b) => distance(a) - distance(b))[0]
}

const METADATA_PATHS = READABLE_METADATA.map((known) => `.metadata.${known}`)

function beginAlike (known: string, name: string): boolean {
  const [a, b] = [known.toLowerCase(), name.toLowerCase()]
  return name !== '' && (a.startsWith(b) || b.startsWith(a))
}

function namesOf (step: Step): string[] {
  if (step.kind === 'union') return step.members.flatMap(namesOf)
  return step.kind === 'field' ? [step.name] : []
}
