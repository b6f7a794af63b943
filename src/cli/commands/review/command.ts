import type { Command } from 'commander'
import type { AdmissionEngine } from '../../../../webhooks/engine.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import { reviewObjects } from '../../../offline/review-objects.ts'
import { filesFlag, flag, missingConfigFlag, newCommand } from '../../flags/read-flags.ts'
import { pathFlags } from '../../flags/settings.ts'
import { newProgress, refuseInput, reportErrors } from '../../output/terminal.ts'
import {
  knownObjects, loadWorld, newOfflineEngine, placeText, readInput, type EngineFlags, type KnownFlags
} from '../../read-objects.ts'
import { clusterFlags, manifestNamespace, objectNamespaceFlag } from '../../user-cluster.ts'
import { FORMATTERS, remarks, WITH_REMARKS, type ReviewFormat } from './format.ts'
import { replay, type ReplayDependencies } from './replay.ts'
import { printWhatIf, readWhatIf } from './what-if.ts'

interface ReviewDependencies extends ReplayDependencies {
  /** Returns an empty engine; by default the product's. */
  readonly admission?: () => AdmissionEngine
}

/** As given. */
interface ReviewFlags extends KnownFlags, EngineFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly output: ReviewFormat
  readonly whatIf?: readonly string[]
  readonly replay?: string
}

/** `aim-admission review -f FILE…`: admits objects in files by the webhooks themselves. */
export function reviewCommand (dependencies: ReviewDependencies): Command {
  return newCommand('review',
    'admit objects in files, as a cluster would; exit 1 if one is refused, 2 on unusable input', [
      filesFlag('-f, --filename <file...>', 'files, folders or patterns, - for standard input'),
      flag('-R, --recursive', 'read folders recursively'),
      objectNamespaceFlag('namespace of objects without one (default: as for kubectl)'),
      flag('-o, --output <format>', 'output format', 'yaml').choices(Object.keys(FORMATTERS)),
      filesFlag('--configs <file...>', 'files or folders of objects that exist already, and are not reviewed'),
      filesFlag('--old <file...>', 'files of stored objects; an object of the same name is reviewed as a change'),
      filesFlag('--what-if <file...>', 'files of changed configurations: print only their effect on each service'),
      flag('--replay <dir>', 'folder of serve --record: print only the responses that differ in a replay'),
      missingConfigFlag(),
      ...pathFlags(),
      ...clusterFlags('cluster of stored objects; an object of the same name is reviewed as a change')
    ]).action(async (flags: ReviewFlags) => {
    await reportErrors(dependencies, async () => {
      if (flags.replay === undefined) await review(flags, dependencies)
      else await replay(flags.replay, flags, dependencies)
    })
  })
}

/** Reviews the objects of the flags, and prints the result. */
async function review (flags: ReviewFlags, dependencies: ReviewDependencies): Promise<void> {
  const { filename = [], output } = flags
  refuseInput(flagProblems(flags))
  const input = { stdin: dependencies.stdin, recursive: flags.recursive === true, namespace: manifestNamespace(flags) }
  const [{ objects, problems }, changes] = await Promise.all([
    readInput(filename, input), readWhatIf(flags.whatIf ?? [], input)
  ])
  const namespaces = namespacesOf([...objects, ...changes.objects], input.namespace)
  const known = await knownObjects(flags, { input, namespaces, terminal: dependencies })
  refuseInput([...problems, ...namespaceProblems(objects, flags), ...known.problems, ...changes.problems])
  const engine = dependencies.admission?.() ?? newOfflineEngine(flags)
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

/** `yaml`, the default of -o, stands for a report of --what-if and --replay. */
function flagProblems ({ filename, whatIf, output }: ReviewFlags): string[] {
  if (whatIf === undefined) {
    return filename === undefined ? ['nothing to review: give files with -f, or - for standard input'] : []
  }
  const isWhatIfFormat = ['yaml', 'report', 'json'].includes(output)
  return isWhatIfFormat ? [] : [`--what-if prints report or json, not ${output}; change -o`]
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
