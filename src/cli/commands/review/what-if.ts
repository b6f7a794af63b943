import { AIM_SERVICE } from '../../../api/kinds.ts'
import { objectKey } from '../../../api/object-meta.ts'
import { configFaults } from '../../../core/rules/config.ts'
import { pathIndexOf } from '../../../cache/path-claims.ts'
import { configTitle, readRuntimeConfig, type RuntimeConfig } from '../../../core/settings/runtime-config.ts'
import { EFFECTS, predictChanges, type Effect, type Prediction } from '../../../core/rules/what-if.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import type { AdmissionEngine } from '../../../../webhooks/engine.ts'
import { painter, table, type Style } from '../../output/paint.ts'
import { placeText, readInput, type Input, type InputOptions } from '../../read-input.ts'
import type { Terminal } from '../../output/terminal.ts'

/** The changed configurations of files; a service among them, or one that its schema refuses, is unusable. */
export async function readWhatIf (paths: readonly string[], options: InputOptions): Promise<Input> {
  const { objects, problems } = await readInput(paths, options)
  return { objects, problems: [...problems, ...objects.flatMap(problemsOf)] }
}

interface WhatIf {
  readonly changes: readonly GivenObject[]
  /** Knows the services, and the configurations as they are. */
  readonly admission: AdmissionEngine
  readonly output: string
}

/** Prints what becomes of every service; exit code 1 where one breaks, or a changed configuration would be refused. */
export function printWhatIf ({ changes, admission, output }: WhatIf, { write, writeError, setExitCode, colour }: Terminal): void {
  const read = changes.map((given) => ({ given, config: configOf(given) }))
  const refusals = read.flatMap(({ given, config }) => configFaults(config, currentOf(config, admission))
    .map(({ field, message }) => `refused: ${objectTitle(given)}\n  ${placeText(given.file, given.positionOf(field))}: ${field}: ${message}\n`))
  if (refusals.length > 0) {
    writeError(refusals.join(''))
    setExitCode(1)
    return
  }
  const predictions = predictChanges(read.map(({ config }) => config), {
    ...admission.world,
    services: admission.services,
    indexPaths: pathIndexOf
  })
  write(
    output === 'json'
      ? predictions.map((prediction) => `${JSON.stringify(record(prediction))}\n`).join('')
      : report(predictions, colour)
  )
  setExitCode(predictions.some(({ effect }) => effect === 'breaks') ? 1 : 0)
}

function problemsOf (given: GivenObject): string[] {
  if (given.kind === AIM_SERVICE) {
    return [
      `${placeText(given.file, given.position)}: ${objectTitle(given)} is no configuration; give services with -f`
    ]
  }
  return given.errors.map(
    ({ field, message }) =>
      `${placeText(given.file, given.positionOf(field))}: ${objectTitle(given)}: ${field}: ${message}`
  )
}

function configOf ({ kind, object }: GivenObject): RuntimeConfig {
  const config = kind.kind === 'AIMService' ? undefined : readRuntimeConfig(kind.kind, object)
  if (config === undefined || config.kind === 'malformed') {
    throw new Error('a configuration that its schema allows cannot be read')
  }
  return config
}

function currentOf ({ kind, namespace, name }: RuntimeConfig, { configs }: AdmissionEngine): RuntimeConfig | undefined {
  return kind === 'AIMRuntimeConfig' ? configs.namespaced(namespace, name) : configs.cluster(name)
}

function record ({ service: { namespace, name }, effect, affected, before, after }: Prediction): object {
  return { namespace, name, effect, touched: affected, before: standing(before), after: standing(after) }
}

function standing ({ assessment: { config }, path, problem }: Prediction['before']): object {
  return { config: config === undefined ? null : configTitle(config), path: path ?? null, trouble: problem ?? null }
}

const STYLES: Readonly<Record<Effect, Style>> = { breaks: 'red', heals: 'green', moves: 'yellow', stays: 'dim' }

/** Services that the change does not reach are only counted. */
function report (predictions: readonly Prediction[], colour: boolean): string {
  const paint = painter(colour)
  const shown = EFFECTS.flatMap((effect) =>
    predictions.filter((prediction) => prediction.effect === effect && (prediction.affected || effect !== 'stays'))
  )
  const rows = shown.map((prediction) => [
    prediction.effect,
    objectKey(prediction.service),
    pathsOf(prediction),
    prediction.after.problem ?? ''
  ])
  const counts = EFFECTS.map(
    (effect) => `${predictions.filter((prediction) => prediction.effect === effect).length} ${effect}`
  )
  const list = table(rows, (text, { row, column }) =>
    column === 0 ? paint(STYLES[shown[row]?.effect ?? 'stays'], text) : text
  )
  return `${list}${rows.length > 0 ? '\n' : ''}${predictions.length} ${predictions.length === 1 ? 'service' : 'services'}: ${counts.join(', ')}\n`
}

function pathsOf ({ before, after }: Prediction): string {
  const [from, to] = [before.path ?? '(no path)', after.path ?? '(no path)']
  return from === to ? from : `${from} → ${to}`
}
