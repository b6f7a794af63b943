import { ownObject, ownString } from '../../../platform/json.ts'
import { errorMessage } from '../../../platform/error-message.ts'
import { readRecords, type ReadLine } from '../../../recording/record-files.ts'
import { differencesOf, replayRecord, type ResponseDifference } from '../../../recording/replay.ts'
import type { ReviewRecord } from '../../../recording/review-record.ts'
import { painter } from '../../output/paint.ts'
import type { ReviewDependencies, ReviewFlags } from './command.ts'
import { newProgress, unusable } from '../../output/terminal.ts'

export type ReplayFlags = ReviewFlags & { readonly replay: string }

/** What came of the records of a folder. */
interface Replayed {
  answers: number
  changed: number
  /** Those that recorded. */
  readonly versions: Set<string>
  readonly problems: string[]
}

/**
 * Answers every recorded review anew, and prints each answer that differs; exit code 1 where one does, 2 where a record
 * cannot be read or there is none.
 */
export async function replay (flags: ReplayFlags, dependencies: ReviewDependencies): Promise<void> {
  const problems = flagProblems(flags)
  const replayed: Replayed = { answers: 0, changed: 0, versions: new Set(), problems }
  if (problems.length === 0) await replayFolder(flags, replayed, dependencies)
  if (problems.length > 0) {
    unusable(problems, dependencies)
    return
  }
  if (flags.output !== 'json') dependencies.write(summary(replayed, dependencies))
  dependencies.setExitCode(replayed.changed > 0 ? 1 : 0)
}

/** All that an answer depends on is in its record. */
function flagProblems ({ filename, configs, old, whatIf, kubeconfig, context, output }: ReviewFlags): string[] {
  const others = Object.entries({ '--filename': filename, '--configs': configs, '--old': old, '--what-if': whatIf, '--kubeconfig': kubeconfig, '--context': context })
    .flatMap(([flag, value]) => value === undefined ? [] : [flag])
  return [
    ...(others.length === 0 ? [] : [`--replay takes everything from the records, and excludes ${others.join(', ')}`]),
    ...(FORMATS.has(output) ? [] : [`--replay prints report or json, not ${output}`])
  ]
}

/** The default of -o stands for a report here. */
const FORMATS: ReadonlySet<string> = new Set(['yaml', 'report', 'json'])

async function replayFolder ({ replay: folder, output }: ReplayFlags, replayed: Replayed, dependencies: ReviewDependencies): Promise<void> {
  const progress = newProgress('reviews replayed:', dependencies)
  try {
    for await (const read of readRecords(folder)) {
      replayLine(read, replayed, { ...dependencies, output })
      progress.step()
    }
    if (replayed.answers === 0 && replayed.problems.length === 0) { replayed.problems.push(`${folder}: no recorded review in it; give the folder that serve --record was given`) }
  } catch (error) {
    replayed.problems.push(`${folder}: ${errorMessage(error)}`)
  }
  progress.end()
}

type ReplayOptions = ReviewDependencies & Pick<ReviewFlags, 'output'>

function replayLine (read: ReadLine, replayed: Replayed, { output, webhooksOver, write, writeError, colour }: ReplayOptions): void {
  const place = `${read.file}:${read.line}`
  if (read.kind === 'problem') replayed.problems.push(`${place}: ${read.problem}`)
  else if (read.kind === 'truncated') writeError(`warning: ${place}: the record is cut short, and left out\n`)
  else {
    const { record } = read
    replayed.answers++
    replayed.versions.add(record.version)
    const changes = differencesOf(record.response, replayRecord(record, webhooksOver))
    if (changes.length === 0) return
    replayed.changed++
    write(output === 'json' ? jsonLine(read, changes) : reportOf({ place, record, changes }, colour))
  }
}

function jsonLine ({ file, line, record }: { file: string, line: number, record: ReviewRecord }, changes: readonly ResponseDifference[]): string {
  return `${JSON.stringify({ file, line, ...titleParts(record), recordedBy: record.version, changes })}\n`
}

interface Reported { readonly place: string, readonly record: ReviewRecord, readonly changes: readonly ResponseDifference[] }

function reportOf ({ place, record, changes }: Reported, colour: boolean): string {
  const paint = painter(colour)
  const { webhook, operation, kind, namespace, name } = titleParts(record)
  const title = `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`
  const lines = changes.flatMap(({ field, recorded, now }) => [
    `  ${field}`, `    ${paint('red', `- ${shown(recorded)}`)}`, `    ${paint('green', `+ ${shown(now)}`)}`
  ])
  return `${paint('bold', title)}: ${operation} at ${webhook} is answered otherwise (${place})\n${lines.join('\n')}\n`
}

function titleParts ({ webhook, review }: ReviewRecord): Readonly<Record<'webhook' | 'operation' | 'kind' | 'namespace' | 'name', string>> {
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

function shown (value: unknown): string {
  if (value === undefined) return '(none)'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function summary ({ answers, changed, versions }: Replayed, { version, colour }: { version: string, colour: boolean }): string {
  const paint = painter(colour)
  const same = answers - changed
  const told = changed > 0 ? paint('red', `${changed} answered otherwise`) : paint('green', 'none answered otherwise')
  return `${answers} ${answers === 1 ? 'review' : 'reviews'} recorded by ${[...versions].sort().join(', ')}, replayed by ${version}: ${same} answered as before, ${told}\n`
}
