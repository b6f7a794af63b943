import { newAdmissionEngine } from '../../../../webhooks/engine.ts'
import { reviewObjects } from '../../../offline/review-objects.ts'
import { knownObjects, loadWorld } from '../../known-objects.ts'
import { readInput } from '../../read-input.ts'
import { FORMATTERS, remarks, TELLING } from './format.ts'
import type { ReviewDependencies, ReviewFlags } from './command.ts'
import { newProgress, unusable } from '../../output/terminal.ts'
import { printWhatIf, readWhatIf } from './what-if.ts'

/** Reviews what the flags name, and prints it. */
export async function review (flags: ReviewFlags, dependencies: ReviewDependencies): Promise<void> {
  const { filename = [], output } = flags
  const input = { stdin: dependencies.stdin, recursive: flags.recursive === true }
  const missing = flagProblems(flags)
  if (missing.length > 0) {
    unusable(missing, dependencies)
    return
  }
  const [{ objects, problems }, known, changes] = await Promise.all([
    readInput(filename, input), knownObjects(flags, input, dependencies), readWhatIf(flags.whatIf ?? [], input)
  ])
  const unread = [...problems, ...known.problems, ...changes.problems]
  if (unread.length > 0) {
    unusable(unread, dependencies)
    return
  }
  const admission =
    dependencies.admission?.() ?? newAdmissionEngine({ missingConfig: flags.missingConfig, missingBlock: 'refuse' })
  const stored = loadWorld(known, admission, objects)
  const progress = newProgress('objects reviewed:', dependencies)
  const reviewed = reviewObjects(objects, admission, { stored, onReviewed: () => { progress.step(objects.length) } })
  progress.end()
  if (flags.whatIf !== undefined) {
    dependencies.writeError(reviewed.filter(({ faults }) => faults.length > 0).map(remarks).join(''))
    printWhatIf({ changes: changes.objects, admission, output }, dependencies)
    return
  }
  dependencies.write(FORMATTERS[output](reviewed, dependencies))
  if (!TELLING.has(output)) dependencies.writeError(reviewed.map(remarks).join(''))
  dependencies.setExitCode(reviewed.some(({ faults }) => faults.length > 0) ? 1 : 0)
}

function flagProblems ({ filename, whatIf, output }: ReviewFlags): string[] {
  if (whatIf === undefined) { return filename === undefined ? ['nothing to review: give files with -f, or - for the standard input'] : [] }
  return WHAT_IF_FORMATS.has(output) ? [] : [`--what-if prints report or json, not ${output}`]
}

/** The default of -o stands for a report here. */
const WHAT_IF_FORMATS: ReadonlySet<string> = new Set(['yaml', 'report', 'json'])
