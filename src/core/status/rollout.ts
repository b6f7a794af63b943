import type { Condition } from '../../api/kubernetes-schemas.ts'
import { ROLLOUT_ANNOTATION } from '../../api/meta.ts'
import type { RuntimeConfigStatus } from '../../api/runtime-config.ts'
import { ownObject, type JsonObject } from '../../platform/json.ts'
import { counted } from '../../platform/printable.ts'
import { problemText } from '../path/problem.ts'
import { configTitle, shortHash, type RuntimeConfig } from '../settings/runtime-config.ts'
import { conditionsOf, CONTESTED, knownConditions, knownFields, type ConditionDraft } from './conditions.ts'

/** The condition types of a configuration's status, in order. */
export const CONFIG_CONDITIONS = ['Accepted', 'RolledOut', 'RolloutHalted'] as const
export const ACCEPTED_REASONS = ['Accepted', 'PathTemplateInvalid'] as const
export const ROLLED_OUT_REASONS = [
  'RolledOut', 'InProgress', 'Paused', 'CanaryReached', 'Halted', 'RolloutAnnotationInvalid'
] as const
export const HALTED_REASONS = ['ServicesFailing', 'WithinLimit', 'Forced'] as const

/** How the annotation limits a rollout. */
export type RolloutMode =
  | { readonly kind: 'all' | 'force' | 'paused' | 'invalid' } | { readonly kind: 'canary', readonly services: number }

/** Counts of the services that use a configuration. */
export interface Tally {
  readonly total: number
  /** Those with its current version. */
  readonly current: number
  readonly failing: number
  /** Those with its current version that fail, as `namespace/name`. */
  readonly failingCurrent: ReadonlySet<string>
}

export interface RolloutInput {
  readonly config: RuntimeConfig
  readonly tally: Tally
  /** Whether this rollout changed a service, which was healthy before and was not edited since. */
  readonly isChanged: (service: string) => boolean
  /** The stored status of the configuration. */
  readonly known: OwnConfigStatus
  /** How many services a rollout may break before it halts. */
  readonly limit: number
  readonly now: string
}

/** The part of a configuration's status that this program writes. */
export type OwnConfigStatus = Readonly<Omit<RuntimeConfigStatus, 'conditions'>> & {
  readonly conditions: readonly Condition[]
}

/** The state of a rollout, and how far it may continue. */
export interface RolloutPlan {
  readonly status: OwnConfigStatus
  /** Why no further service is changed, in one sentence; undefined while the rollout continues. */
  readonly heldReason: string | undefined
  /** How many more services may be changed, and how many of those may break. */
  readonly quota: number
  readonly breakable: number
}

/** This program's part of a stored status. */
export function ownConfigStatus (object: JsonObject): OwnConfigStatus {
  const known = knownFields(ownObject(object, 'status'), ['observedGeneration', 'hash', 'services'])
  return { ...known, conditions: knownConditions(object, [...CONFIG_CONDITIONS, CONTESTED]) }
}

/** An unreadable annotation holds the rollout, because its author meant to limit it. */
export function rolloutMode (annotation: string): RolloutMode {
  if (annotation === '' || annotation === 'all') return { kind: 'all' }
  if (annotation === 'paused' || annotation === 'force') return { kind: annotation }
  const services = /^canary=([1-9]\d{0,5})$/.exec(annotation)?.[1]
  return services === undefined ? { kind: 'invalid' } : { kind: 'canary', services: Number(services) }
}

/** A halt persists in the stored status, so that the next leader keeps it. Pure. */
export function planRollout (input: RolloutInput): RolloutPlan {
  const { config, tally, known, limit, now } = input
  const { total, current, failing } = tally
  const broken = brokenServices(input)
  const mode = rolloutMode(config.rollout)
  const isRolledOut = current >= total
  const isForced = mode.kind === 'force'
  const halt = !isRolledOut && !isForced && broken.length >= limit ? haltMessage(broken, config) : undefined
  const hold = isRolledOut ? undefined : holdOf(config, { mode, current, halt })
  const halted = haltedCondition(halt, withinLimit(input, isForced, isRolledOut ? [] : broken))
  const drafts = [acceptedCondition(config), rolledOutCondition(config, isRolledOut, hold), halted]
  return {
    status: {
      ...(config.generation > 0 && { observedGeneration: config.generation }),
      hash: config.hash,
      services: { total, current, failing },
      conditions: conditionsOf(drafts, { known: known.conditions, generation: config.generation, now })
    },
    heldReason: hold?.message,
    quota: hold === undefined ? quotaOf(mode, current) : 0,
    breakable: isForced ? Infinity : Math.max(0, limit - broken.length)
  }
}

function quotaOf (mode: RolloutMode, current: number): number {
  return mode.kind === 'canary' ? mode.services - current : Infinity
}

/** Failing services that this rollout changed, or that a previous leader counted for this version; sorted by name. */
function brokenServices ({ config, tally, isChanged, known }: RolloutInput): string[] {
  const halted = known.conditions.find(({ type }) => type === 'RolloutHalted')
  const named = known.hash === config.hash ? namedServices(halted?.message ?? '') : NO_NAMES
  return [...tally.failingCurrent].filter((service) => isChanged(service) || named.has(service)).sort()
}

interface Hold { readonly reason: typeof ROLLED_OUT_REASONS[number], readonly message: string }

function holdOf (
  config: RuntimeConfig, { mode, current, halt }: { mode: RolloutMode, current: number, halt: string | undefined }
): Hold | undefined {
  const resume = annotateCommand(config, 'all')
  if (mode.kind === 'invalid') {
    const message = `annotation ${ROLLOUT_ANNOTATION} must be all, paused, canary=N or force; ` +
      `correct it, or roll out to all services: ${resume}`
    return { reason: 'RolloutAnnotationInvalid', message }
  }
  if (mode.kind === 'paused') return { reason: 'Paused', message: `the rollout is paused; to resume: ${resume}` }
  if (halt !== undefined) return { reason: 'Halted', message: halt }
  if (mode.kind !== 'canary' || current < mode.services) return undefined
  const reached = `the canary reached ${counted(mode.services, 'service')}`
  return { reason: 'CanaryReached', message: `${reached}; to roll out to all: ${resume}` }
}

function annotateCommand ({ kind, namespace, name }: RuntimeConfig, rollout: 'all' | 'force'): string {
  const target = kind === 'AIMRuntimeConfig' ? `-n ${namespace} annotate aimrcfg/${name}` : `annotate aimcrcfg/${name}`
  return `kubectl ${target} ${ROLLOUT_ANNOTATION}=${rollout} --overwrite`
}

/** The most services that a condition names. The next leader counts the named ones only. */
const MAX_NAMED = 50

function haltMessage (broken: readonly string[], config: RuntimeConfig): string {
  return `halted, because ${brokenText(broken, config)}; ` +
    'revert the configuration, fix the services as their condition Degraded says, or roll out regardless: ' +
    annotateCommand(config, 'force')
}

/** Names the broken services, so that a next leader counts them as well. */
function withinLimit (
  { config, limit }: RolloutInput, isForced: boolean, broken: readonly string[]
): Pick<ConditionDraft, 'reason' | 'message'> {
  if (isForced) {
    const reason = `because annotation ${ROLLOUT_ANNOTATION} is force`
    return { reason: 'Forced', message: `the limit of ${limit} failing services is ignored, ${reason}` }
  }
  const failed = broken.length === 0 ? 'no service began to fail with this version' : brokenText(broken, config)
  return { reason: 'WithinLimit', message: `${failed}; the rollout halts at ${limit}` }
}

/** This format is state: `namedServices` reads it back, also from messages of earlier versions. */
function brokenText (broken: readonly string[], config: RuntimeConfig): string {
  const names = broken.slice(0, MAX_NAMED).join(', ') + (broken.length > MAX_NAMED ? ', …' : '')
  const services = counted(broken.length, 'healthy service')
  return `${services} began to fail with this version of ${configTitle(config)}: ${names}`
}

/** Reads the services back from `brokenText`. */
function namedServices (message: string): ReadonlySet<string> {
  const names = /\d healthy services? began to fail .*?: ([^;]*?)(?:, …)?;/.exec(message)?.[1]
  return names === undefined ? NO_NAMES : new Set(names.split(', '))
}

const NO_NAMES: ReadonlySet<string> = new Set()

function acceptedCondition ({ template }: RuntimeConfig): ConditionDraft {
  if (template?.kind !== 'invalid') {
    return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'services can use the configuration' }
  }
  const message = `spec.routing.pathTemplate: ${template.problems.map((problem) => problemText(problem)).join('; ')}`
  return { type: 'Accepted', status: 'False', reason: 'PathTemplateInvalid', message }
}

function rolledOutCondition ({ hash }: RuntimeConfig, isRolledOut: boolean, hold: Hold | undefined): ConditionDraft {
  if (isRolledOut) {
    const message = 'every service that uses this configuration has its current version'
    return { type: 'RolledOut', status: 'True', reason: 'RolledOut', message }
  }
  const progress: Hold = { reason: 'InProgress', message: `version ${shortHash(hash)} is being rolled out` }
  return { type: 'RolledOut', status: 'False', ...(hold ?? progress) }
}

function haltedCondition (
  halt: string | undefined, within: Pick<ConditionDraft, 'reason' | 'message'>
): ConditionDraft {
  return halt === undefined
    ? { type: 'RolloutHalted', status: 'False', ...within }
    : { type: 'RolloutHalted', status: 'True', reason: 'ServicesFailing', message: halt }
}
