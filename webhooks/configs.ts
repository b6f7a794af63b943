import type { ReviewRequest } from '../src/admission/request.ts'
import { ADMIT, type Verdict } from '../src/admission/verdict.ts'
import { isDeleting } from '../src/api/object-meta.ts'
import type { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG } from '../src/api/kinds.ts'
import { PREFIX } from '../src/api/meta.ts'
import { changeWarnings, configFaults, deletionWarnings } from '../src/core/rules/config.ts'
import { configTitle, readRuntimeConfig, type RuntimeConfig } from '../src/core/settings/runtime-config.ts'
import type { World } from '../src/core/world.ts'
import type { JsonObject } from '../src/platform/json.ts'
import { runSteps, type Steps } from '../src/platform/steps.ts'
import { configAudit, refuseMalformed, resourceOf, verdictOf, type Webhook } from './webhook.ts'

type ConfigKind = typeof AIM_RUNTIME_CONFIG | typeof AIM_CLUSTER_RUNTIME_CONFIG

/** Judges a configuration of one kind, and warns of the effects on the services that use it. */
export function validateConfig (kind: ConfigKind, world: World): Webhook {
  const decideInSteps = (request: ReviewRequest): Steps<Verdict> =>
    request.operation === 'DELETE' ? warnOfDeletion(kind, request, world) : judgeChange(kind, request, world)
  return {
    name: `validate-${kind.plural}`,
    path: `/validate/${kind.plural}`,
    type: 'validating',
    resource: resourceOf(kind),
    registrations: [
      { name: `validate-${kind.plural}.${PREFIX}`, operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' },
      { name: `warn-${kind.plural}.${PREFIX}`, operations: ['DELETE'], failurePolicy: 'Ignore' }
    ],
    decide: (request) => runSteps(decideInSteps(request)),
    decideInSteps
  }
}

function * judgeChange (
  { kind }: ConfigKind, { object, oldObject, dryRun }: ReviewRequest, world: World
): Steps<Verdict> {
  if (object === undefined || (oldObject !== undefined && isDeleting(oldObject))) return ADMIT
  const config = readRuntimeConfig(kind, object)
  if (config.kind === 'malformed') return refuseMalformed(config)
  const faults = configFaults(config, oldObject && readStored(kind, oldObject))
  const isKept = faults.length === 0 && !config.oversized
  if (isKept && !dryRun) world.pendingConfigs.announce(config)
  const warnings = isKept ? yield * changeWarnings(config, world) : []
  return verdictOf(faults, { warnings, audit: configAudit(config) })
}

/** Undefined if the stored configuration is malformed. */
function readStored (kind: ConfigKind['kind'], object: JsonObject): RuntimeConfig | undefined {
  const config = readRuntimeConfig(kind, object)
  return config.kind === 'malformed' ? undefined : config
}

function * warnOfDeletion ({ kind }: ConfigKind, { namespace, name }: ReviewRequest, world: World): Steps<Verdict> {
  const config = { kind, namespace: kind === 'AIMRuntimeConfig' ? namespace : '', name }
  const warnings = yield * deletionWarnings(config, world)
  return { kind: 'admit', warnings, audit: { config: configTitle(config) } }
}
