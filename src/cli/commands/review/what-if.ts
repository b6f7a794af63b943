import type { AdmissionEngine } from '../../../../webhooks/engine.ts'
import { AIM_SERVICE } from '../../../api/kinds.ts'
import { keyText } from '../../../api/object-meta.ts'
import { pathIndexOf } from '../../../cache/path-claims.ts'
import { configFaults } from '../../../core/rules/config.ts'
import {
  EFFECTS, effectSummary, predictChanges, withChanges, type Effect, type Prediction
} from '../../../core/rules/what-if.ts'
import { configTitle, readRuntimeConfig, type RuntimeConfig } from '../../../core/settings/runtime-config.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import { oneLine } from '../../../platform/printable.ts'
import { toJsonLines } from '../../output/formats.ts'
import { painter, table, type Style, type Terminal } from '../../output/terminal.ts'
import { placeText, readInput, schemaProblems, type Input, type InputOptions } from '../../read-objects.ts'

/** Reads changed configurations. A service, or a configuration that violates its schema, is a problem. */
export async function readWhatIf (paths: readonly string[], options: InputOptions): Promise<Input> {
  const { objects, problems } = await readInput(paths, options)
  const services = objects.filter(({ kind }) => kind === AIM_SERVICE).map((given) =>
    `${placeText(given.file, given.position)}: ${objectTitle(given)} is not a configuration; give services with -f`)
  return { objects, problems: [...problems, ...services, ...schemaProblems(objects)] }
}

interface WhatIf {
  readonly changes: readonly GivenObject[]
  /** Holds the services, and the configurations before the change. */
  readonly engine: AdmissionEngine
  readonly output: string
}

/** Prints the effect on each service. Exit code 1 if a service breaks, or a changed configuration would be refused. */
export function printWhatIf ({ changes, engine, output }: WhatIf, terminal: Terminal): void {
  const { configs } = engine
  const read = changes.map((given) => ({ given, config: configOf(given) }))
  const refusals = read.flatMap(({ given, config }) => {
    const { kind, namespace, name } = config
    const before = kind === 'AIMRuntimeConfig' ? configs.namespaced(namespace, name) : configs.cluster(name)
    return configFaults(config, before).map(({ field, message }) =>
      `refused: ${objectTitle(given)}\n  ${placeText(given.file, given.positionOf(field))}: ` +
      `${oneLine(`${field}: ${message}`)}\n`)
  })
  if (refusals.length > 0) {
    terminal.writeError(refusals.join(''))
    terminal.setExitCode(1)
    return
  }
  const world = { ...engine.world, services: engine.services, indexPaths: pathIndexOf }
  const predictions = predictChanges(withChanges(world.configs, read.map(({ config }) => config)), world)
  terminal.write(output === 'json' ? toJsonLines(predictions.map(recordOf)) : report(predictions, terminal.colors))
  terminal.setExitCode(predictions.some(({ effect }) => effect === 'breaks') ? 1 : 0)
}

function configOf ({ kind, object }: GivenObject): RuntimeConfig {
  const config = kind.kind === 'AIMService' ? undefined : readRuntimeConfig(kind.kind, object)
  if (config === undefined || config.kind === 'malformed') throw new Error('a checked configuration cannot be read')
  return config
}

function recordOf ({ service: { namespace, name }, effect, affected, before, after }: Prediction): object {
  return { namespace, name, effect, affected, before: stateOf(before), after: stateOf(after) }
}

function stateOf ({ assessment: { config }, path, problem }: Prediction['before']): object {
  return { config: config === undefined ? null : configTitle(config), path: path ?? null, problem: problem ?? null }
}

const STYLES: Readonly<Record<Effect, Style>> = { breaks: 'red', heals: 'green', moves: 'yellow', stays: 'dim' }

/** Unaffected services are only counted. */
function report (predictions: readonly Prediction[], colors: boolean): string {
  const paint = painter(colors)
  const shown = EFFECTS.flatMap((effect) =>
    predictions.filter((prediction) => prediction.effect === effect && (prediction.affected || effect !== 'stays')))
  const rows = shown.map(({ effect, service, before, after }) =>
    [effect, keyText(service), pathsText(before.path, after.path), after.problem ?? ''])
  const list = table(rows, (text, { row, column }) =>
    column === 0 ? paint(STYLES[shown[row]?.effect ?? 'stays'], text) : text)
  return `${list}${rows.length > 0 ? '\n' : ''}${effectSummary(predictions)}\n`
}

function pathsText (from = '(no path)', to = '(no path)'): string {
  return from === to ? from : `${from} → ${to}`
}
