import { fullName } from '../../../api/object-meta.ts'
import { errorMessage } from '../../../platform/error-message.ts'
import { ownObject, ownString } from '../../../platform/json.ts'
import { counted, oneLine } from '../../../platform/printable.ts'
import { readRecords, type ReadLine } from '../../../recording/record-files.ts'
import { differencesOf, replayRecord, type ResponseDifference, type WebhooksOver } from '../../../recording/replay.ts'
import type { ReviewRecord } from '../../../recording/review-record.ts'
import type { KnownFlags } from '../../read-objects.ts'
import { toJsonLines } from '../../output/formats.ts'
import { newProgress, painter, refuseInput, type Terminal } from '../../output/terminal.ts'

export interface ReplayDependencies extends Terminal {
  readonly version: string
  /** The webhooks that recorded reviews are replayed by; by default the product's. */
  readonly webhooksOver?: WebhooksOver
}

interface ReplayFlags extends KnownFlags {
  readonly output: string
  readonly filename?: readonly string[]
  readonly whatIf?: readonly string[]
}

/** Prints each response that differs in a replay. Exit code 1 if one differs, 2 for an unreadable record or none. */
export async function replay (folder: string, flags: ReplayFlags, dependencies: ReplayDependencies): Promise<void> {
  refuseInput(flagProblems(flags))
  const { write, writeError, setExitCode, webhooksOver, colors } = dependencies
  const isJson = flags.output === 'json'
  const versions = new Set<string>()
  const problems: string[] = []
  let [replayed, different] = [0, 0]
  const replayLine = (read: ReadLine): void => {
    const { file, line } = read
    const place = `${file}:${line}`
    if (read.kind === 'problem') problems.push(`${place}: ${read.problem}`)
    if (read.kind === 'truncated') writeError(`warning: ${place}: skipped truncated record\n`)
    if (read.kind !== 'record') return
    const { record } = read
    replayed++
    versions.add(record.version)
    const changes = differencesOf(record.response, replayRecord(record, webhooksOver))
    if (changes.length === 0) return
    different++
    write(isJson
      ? toJsonLines([{ file, line, ...subjectOf(record), recordedBy: record.version, changes }])
      : report({ place, record, changes }, colors))
  }
  const progress = newProgress('reviews replayed:', dependencies)
  try {
    for await (const read of readRecords(folder)) {
      replayLine(read)
      progress.step()
    }
    const isEmpty = replayed + problems.length === 0
    if (isEmpty) problems.push(`${folder} has no recorded review; give the folder of serve --record`)
  } catch (error) {
    problems.push(`${folder}: ${errorMessage(error)}`)
  }
  progress.end()
  refuseInput(problems)
  if (!isJson) write(summary({ replayed, different, versions }, dependencies))
  setExitCode(different > 0 ? 1 : 0)
}

/** A record has all that its response depends on. `yaml`, the default of -o, stands for a report here. */
function flagProblems ({ filename, configs, old, whatIf, kubeconfig, context, output }: ReplayFlags): string[] {
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
    ...(['yaml', 'report', 'json'].includes(output)
      ? []
      : [`--replay prints report or json, not ${output}; change -o`])
  ]
}

interface Different {
  readonly place: string
  readonly record: ReviewRecord
  readonly changes: readonly ResponseDifference[]
}

function report ({ place, record, changes }: Different, colors: boolean): string {
  const paint = painter(colors)
  const { webhook, operation, kind, namespace, name } = subjectOf(record)
  const title = oneLine(`${kind} ${fullName({ namespace, name })}`)
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

interface Tally { readonly replayed: number, readonly different: number, readonly versions: ReadonlySet<string> }

function summary ({ replayed, different, versions }: Tally, { version, colors }: ReplayDependencies): string {
  const paint = painter(colors)
  const recorders = oneLine([...versions].sort().join(', '))
  const title = `${counted(replayed, 'review')} recorded by ${recorders}`
  const changed = paint(different > 0 ? 'red' : 'green', `${different} different`)
  return `${title}, replayed by ${version}: ${replayed - different} equal, ${changed}\n`
}
