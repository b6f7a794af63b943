import type { Condition } from '../../api/kubernetes-schemas.ts'
import { ROLLOUT_ANNOTATION } from '../../api/meta.ts'
import type { RuntimeConfigStatus } from '../../api/runtime-config.ts'
import { conditionsOf, knownConditions, type ConditionDraft } from './conditions.ts'
import { own, ownObject, type JsonObject } from '../../platform/json.ts'
import { configTitle, type RuntimeConfig } from '../settings/runtime-config.ts'

/** The condition types of a configuration's status, in their order. */
export const CONFIG_CONDITIONS = ['Accepted', 'RolledOut', 'RolloutHalted'] as const
export const ACCEPTED_REASONS = ['Accepted', 'PathTemplateInvalid'] as const
export const ROLLED_OUT_REASONS = [
  'RolledOut',
  'InProgress',
  'Paused',
  'CanaryReached',
  'Halted',
  'RolloutAnnotationInvalid'
] as const
export const HALTED_REASONS = ['ServicesFailing', 'WithinLimit'] as const

type RolledOutReason = typeof ROLLED_OUT_REASONS[number]

/** How a change is carried to the services, as the annotation says. */
export type RolloutMode =
  | { readonly kind: 'all' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'canary', readonly services: number }
  | { readonly kind: 'invalid', readonly given: string }

/** The services that use a configuration, counted. */
export interface Tally {
  readonly total: number
  /** Those that carry its present hash. */
  readonly current: number
  readonly failing: number
  /**
   * Those that carry the present hash and fail: `namespace/name`, and since when (RFC 3339; empty where that is not
   * written yet).
   */
  readonly failingCurrent: ReadonlyMap<string, string>
}

export interface RolloutInput {
  readonly config: RuntimeConfig
  readonly tally: Tally
  /** What the configuration's status says so far. */
  readonly known: OwnConfigStatus
  /** How many services a roll-out may break before it halts. */
  readonly limit: number
  readonly now: string
}

export type OwnConfigStatus = Readonly<Omit<RuntimeConfigStatus, 'conditions'>> & {
  readonly conditions: readonly Condition[]
}

/** How far a roll-out is, and how far it may go on. */
export interface RolloutPlan {
  readonly status: OwnConfigStatus
  /** Why no further service is touched; undefined while it goes on. One sentence. */
  readonly heldReason: string | undefined
  /** How many more services may be touched, and how many of those may turn out to fail. */
  readonly quota: number
  readonly breakable: number
}

/** The part that this program writes, as an object has it stored. */
export function ownConfigStatus (object: JsonObject): OwnConfigStatus {
  const status = ownObject(object, 'status')
  const fields = (['observedGeneration', 'hash', 'services'] as const).flatMap((field) =>
    own(status, field) === undefined ? [] : [[field, own(status, field)]]
  )
  // its schema vouches for the form
  return { ...Object.fromEntries(fields), conditions: knownConditions(object, CONFIG_CONDITIONS) } as OwnConfigStatus
}

/** `all` where the annotation is empty. Anything unreadable holds a roll-out: whoever wrote it wanted less than all. */
export function rolloutMode (annotation: string): RolloutMode {
  if (annotation === '' || annotation === 'all') return { kind: 'all' }
  if (annotation === 'paused') return { kind: 'paused' }
  const services = /^canary=([1-9]\d{0,5})$/.exec(annotation)?.[1]
  return services === undefined
    ? { kind: 'invalid', given: annotation }
    : { kind: 'canary', services: Number(services) }
}

/**
 * Judges a roll-out by what the services and the configuration's own status say, so that whoever leads comes to the
 * same plan. Pure.
 */
export function planRollout ({ config, tally, known, limit, now }: RolloutInput): RolloutPlan {
  const { total, current, failing } = tally
  const broken = brokenServices(tally, known)
  const mode = rolloutMode(config.rollout)
  const halt = current < total && broken.length >= limit ? haltOf(broken, config) : undefined
  const hold = current < total ? holdOf(config, { mode, current, halt }) : undefined
  const findings = [acceptedFinding(config), rolledOutFinding(config, { tally, hold }), haltedFinding(halt)]
  return {
    status: {
      ...(config.generation > 0 && { observedGeneration: config.generation }),
      hash: config.hash,
      services: { total, current, failing },
      conditions: conditionsOf(findings, { known: known.conditions, generation: config.generation, now })
    },
    heldReason: hold?.message,
    quota: hold !== undefined ? 0 : mode.kind === 'canary' ? mode.services - current : Infinity,
    breakable: Math.max(0, limit - broken.length)
  }
}

/**
 * Services that carry the present hash and began to fail since the roll-out began, by name: whoever leads says the
 * same.
 */
function brokenServices ({ failingCurrent }: Tally, { conditions }: OwnConfigStatus): string[] {
  const rolledOut = conditions.find(({ type }) => type === 'RolledOut')
  if (rolledOut?.status !== 'False') return []
  return [...failingCurrent]
    .filter(([, since]) => since === '' || since >= rolledOut.lastTransitionTime)
    .map(([name]) => name)
    .sort()
}

interface Hold { readonly reason: RolledOutReason, readonly message: string }

function holdOf (
  config: RuntimeConfig, { mode, current, halt }: { mode: RolloutMode, current: number, halt: string | undefined }
): Hold | undefined {
  if (mode.kind === 'invalid') {
    const what = `annotation ${ROLLOUT_ANNOTATION} is neither all, paused nor canary=N`
    return {
      reason: 'RolloutAnnotationInvalid',
      message: `${what}; correct it, or carry the change to all: ${goOnCommand(config)}`
    }
  }
  if (mode.kind === 'paused') {
    return { reason: 'Paused', message: `the roll-out is paused; to go on: ${goOnCommand(config)}` }
  }
  if (halt !== undefined) return { reason: 'Halted', message: halt }
  if (mode.kind === 'canary' && current >= mode.services) {
    return {
      reason: 'CanaryReached',
      message: `the change is on trial on ${mode.services} ${mode.services === 1 ? 'service' : 'services'}; to go on: ${goOnCommand(config)}`
    }
  }
  return undefined
}

function goOnCommand ({ kind, namespace, name }: RuntimeConfig): string {
  const target = kind === 'AIMRuntimeConfig' ? `-n ${namespace} annotate aimrcfg/${name}` : `annotate aimcrcfg/${name}`
  return `kubectl ${target} ${ROLLOUT_ANNOTATION}=all --overwrite`
}

/** Most services that a condition names. */
const MAX_NAMED = 10

function haltOf (broken: readonly string[], config: RuntimeConfig): string {
  const names = broken.slice(0, MAX_NAMED).join(', ')
  return `halted, because ${broken.length} ${broken.length === 1 ? 'service' : 'services'} that ${broken.length === 1 ? 'was' : 'were'} well began to fail with this version of ` +
    `${configTitle(config)}: ${names}${broken.length > MAX_NAMED ? ', …' : ''}; put the configuration back, or mend these services by what their condition Degraded says`
}

function acceptedFinding ({ template }: RuntimeConfig): ConditionDraft {
  return template?.kind === 'invalid'
    ? {
        type: 'Accepted',
        status: 'False',
        reason: 'PathTemplateInvalid',
        message: `spec.routing.pathTemplate: ${template.problems.map(({ what }) => what).join('; ')}`
      }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' }
}

function rolledOutFinding (
  { hash }: RuntimeConfig, { tally, hold }: { tally: Tally, hold: Hold | undefined }
): ConditionDraft {
  if (tally.current === tally.total) {
    return {
      type: 'RolledOut',
      status: 'True',
      reason: 'RolledOut',
      message: 'every service that uses this configuration carries its present version'
    }
  }
  return {
    type: 'RolledOut',
    status: 'False',
    ...(hold ?? { reason: 'InProgress', message: `version ${hash} is on its way to the services` })
  }
}

function haltedFinding (halt: string | undefined): ConditionDraft {
  return halt === undefined
    ? { type: 'RolloutHalted', status: 'False', reason: 'WithinLimit', message: '' }
    : { type: 'RolloutHalted', status: 'True', reason: 'ServicesFailing', message: halt }
}
