import { newAdmissionEngine } from '../../../../webhooks/engine.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import { OFFLINE_DEFINITION, reviewObjects } from '../../../offline/review-objects.ts'
import { pathPolicySettings } from '../../flags/settings.ts'
import { knownObjects, loadWorld } from '../../known-objects.ts'
import { newProgress, reportUnusable } from '../../output/terminal.ts'
import { placeText, readInput } from '../../read-input.ts'
import { manifestNamespace } from '../../user-cluster.ts'
import type { ReviewDependencies, ReviewFlags } from './command.ts'
import { FORMATTERS, remarks, WITH_REMARKS } from './format.ts'
import { printWhatIf, readWhatIf } from './what-if.ts'

/** Reviews the objects of the flags, and prints the result. */
export async function review (flags: ReviewFlags, dependencies: ReviewDependencies): Promise<void> {
  const { filename = [], output, missingConfig } = flags
  const flagProblem = flagProblemOf(flags)
  if (flagProblem !== undefined) {
    reportUnusable([flagProblem], dependencies)
    return
  }
  const input = { stdin: dependencies.stdin, recursive: flags.recursive === true, namespace: manifestNamespace(flags) }
  const [{ objects, problems }, changes] = await Promise.all([
    readInput(filename, input), readWhatIf(flags.whatIf ?? [], input)
  ])
  const namespaces = namespacesOf([...objects, ...changes.objects], input.namespace)
  const known = await knownObjects(flags, { input, namespaces, terminal: dependencies })
  const elsewhere = namespaceProblems(objects, flags)
  const allProblems = [...problems, ...elsewhere, ...known.problems, ...changes.problems]
  if (allProblems.length > 0) {
    reportUnusable(allProblems, dependencies)
    return
  }
  const engine = dependencies.admission?.() ?? newAdmissionEngine({ missingConfig, missingBlock: 'refuse' }, {
    pathPolicy: pathPolicySettings(flags),
    served: OFFLINE_DEFINITION
  })
  dependencies.writeError(known.notes.map((note) => `note: ${note}\n`).join(''))
  const stored = loadWorld(known, engine, objects)
  const progress = newProgress('objects reviewed:', dependencies)
  const reviewed = reviewObjects(objects, engine, { stored, onReviewed: () => { progress.step(objects.length) } })
  progress.end()
  const refused = reviewed.filter(({ faults }) => faults.length > 0)
  if (flags.whatIf !== undefined) {
    dependencies.writeError(refused.map(remarks).join(''))
    printWhatIf({ changes: changes.objects, engine, output }, dependencies)
    return
  }
  dependencies.write(FORMATTERS[output](reviewed, dependencies))
  if (!WITH_REMARKS.has(output)) dependencies.writeError(reviewed.map(remarks).join(''))
  dependencies.setExitCode(refused.length > 0 ? 1 : 0)
}

function flagProblemOf ({ filename, whatIf, output }: ReviewFlags): string | undefined {
  if (whatIf !== undefined) {
    return WHAT_IF_FORMATS.has(output) ? undefined : `--what-if prints report or json, not ${output}; change -o`
  }
  return filename === undefined ? 'nothing to review: give files with -f, or - for standard input' : undefined
}

function namespacesOf (objects: readonly GivenObject[], namespace: string): string[] {
  const named = new Set(objects.map(({ key }) => key.namespace).filter((name) => name !== ''))
  return named.size === 0 ? [namespace] : [...named]
}

/** As kubectl, which refuses an object outside the namespace of its flag. */
function namespaceProblems (objects: readonly GivenObject[], { namespace = '' }: ReviewFlags): string[] {
  return objects.filter(({ key }) => ![namespace, ''].includes(key.namespace) && namespace !== '').map((given) =>
    `${placeText(given.file, given.positionOf('metadata.namespace'))}: ${objectTitle(given)} is not in the namespace ` +
    `${namespace} of -n: remove one of the two`)
}

/** `yaml`, the default of -o, stands for a report here. */
const WHAT_IF_FORMATS: ReadonlySet<string> = new Set(['yaml', 'report', 'json'])
