import { errorMessage } from '../../../platform/error-message.ts'
import { ownObject, ownString } from '../../../platform/json.ts'
import { oneLine } from '../../../platform/printable.ts'
import { readRecords, type ReadLine } from '../../../recording/record-files.ts'
import { differencesOf, replayRecord, type ResponseDifference } from '../../../recording/replay.ts'
import type { ReviewRecord } from '../../../recording/review-record.ts'
import { toJsonLines } from '../../output/formats.ts'
import { newProgress, painter, reportUnusable } from '../../output/terminal.ts'
import type { ReviewDependencies, ReviewFlags } from './command.ts'

type ReplayFlags = ReviewFlags & { readonly replay: string }

interface Tally {
  replayed: number
  different: number
  /** Program versions that recorded the reviews. */
  readonly versions: Set<string>
  readonly problems: string[]
}

/**
 * Replays every recorded review, and prints each response that differs. Exit code 1 if one differs, 2 if a record is
 * unreadable or none exists.
 */
export async function replay (flags: ReplayFlags, dependencies: ReviewDependencies): Promise<void> {
  const tally: Tally = { replayed: 0, different: 0, versions: new Set(), problems: flagProblems(flags) }
  if (tally.problems.length === 0) await replayFolder(flags, tally, dependencies)
  if (tally.problems.length > 0) {
    reportUnusable(tally.problems, dependencies)
    return
  }
  if (flags.output !== 'json') dependencies.write(summary(tally, dependencies))
  dependencies.setExitCode(tally.different > 0 ? 1 : 0)
}

/** A record has all that its response depends on. */
function flagProblems ({ filename, configs, old, whatIf, kubeconfig, context, output }: ReviewFlags): string[] {
  const others = Object.entries({
    '--filename': filename,
    '--configs': configs,
    '--old': old,
    '--what-if': whatIf,
    '--kubeconfig': kubeconfig,
    '--context': context
  }).flatMap(([name, value]) => value === undefined ? [] : [name])
  return [
    ...(others.length === 0 ? [] : [`--replay and ${others.join(', ')} exclude each other; give --replay alone`]),
    ...(FORMATS.has(output) ? [] : [`--replay prints report or json, not ${output}; change -o`])
  ]
}

/** `yaml`, the default of -o, stands for a report here. */
const FORMATS: ReadonlySet<string> = new Set(['yaml', 'report', 'json'])

async function replayFolder (flags: ReplayFlags, tally: Tally, dependencies: ReviewDependencies): Promise<void> {
  const { replay: folder, output } = flags
  const progress = newProgress('reviews replayed:', dependencies)
  try {
    for await (const read of readRecords(folder)) {
      replayLine(read, tally, { ...dependencies, output })
      progress.step()
    }
    if (tally.replayed === 0 && tally.problems.length === 0) {
      tally.problems.push(`${folder} has no recorded review; give the folder of serve --record`)
    }
  } catch (error) {
    tally.problems.push(`${folder}: ${errorMessage(error)}`)
  }
  progress.end()
}

type ReplayOptions = ReviewDependencies & Pick<ReviewFlags, 'output'>

function replayLine (read: ReadLine, tally: Tally, options: ReplayOptions): void {
  const { output, webhooksOver, write, writeError, colors } = options
  const place = `${read.file}:${read.line}`
  if (read.kind === 'problem') {
    tally.problems.push(`${place}: ${read.problem}`)
    return
  }
  if (read.kind === 'truncated') {
    writeError(`warning: ${place}: skipped truncated record\n`)
    return
  }
  const { record } = read
  tally.replayed++
  tally.versions.add(record.version)
  const changes = differencesOf(record.response, replayRecord(record, webhooksOver))
  if (changes.length === 0) return
  tally.different++
  const { file, line } = read
  write(output === 'json'
    ? toJsonLines([{ file, line, ...subjectOf(record), recordedBy: record.version, changes }])
    : report({ place, record, changes }, colors))
}

interface Different {
  readonly place: string
  readonly record: ReviewRecord
  readonly changes: readonly ResponseDifference[]
}

function report ({ place, record, changes }: Different, colors: boolean): string {
  const paint = painter(colors)
  const { webhook, operation, kind, namespace, name } = subjectOf(record)
  const title = oneLine(`${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`)
  const lines = changes.flatMap(({ field, recorded, now }) => [
    `  ${field}\n`,
    `    ${paint('red', `- ${valueText(recorded)}`)}\n`,
    `    ${paint('green', `+ ${valueText(now)}`)}\n`
  ])
  const what = `${oneLine(operation)} at ${webhook} has a different response`
  return `${paint('bold', title)}: ${what} (${place})\n${lines.join('')}`
}

type Subject = Readonly<Record<'webhook' | 'operation' | 'kind' | 'namespace' | 'name', string>>

function subjectOf ({ webhook, review }: ReviewRecord): Subject {
  const request = ownObject(review, 'request')
  const metadata = ownObject(ownObject(request, 'object'), 'metadata')
  const name = ownString(request, 'name') || ownString(metadata, 'name')
  return {
    webhook,
    operation: ownString(request, 'operation'),
    kind: ownString(ownObject(request, 'kind'), 'kind'),
    namespace: ownString(request, 'namespace'),
    name: name === '' ? `${ownString(metadata, 'generateName')}*` : name
  }
}

function valueText (value: unknown): string {
  if (value === undefined) return '(none)'
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value))
}

function summary ({ replayed, different, versions }: Tally, { version, colors }: ReviewDependencies): string {
  const paint = painter(colors)
  const recorders = oneLine([...versions].sort().join(', '))
  const title = `${replayed} ${replayed === 1 ? 'review' : 'reviews'} recorded by ${recorders}`
  const changed = paint(different > 0 ? 'red' : 'green', `${different} different`)
  return `${title}, replayed by ${version}: ${replayed - different} equal, ${changed}\n`
}
