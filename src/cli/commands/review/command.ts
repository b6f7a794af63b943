import { Command, Option } from 'commander'
import type { WebhooksOver } from '../../../recording/replay.ts'
import type { AdmissionEngine } from '../../../../webhooks/engine.ts'
import { environmentVariable } from '../../flags/options.ts'
import type { KnownFlags } from '../../known-objects.ts'
import type { Terminal } from '../../output/terminal.ts'
import { clusterFlags } from '../../user-cluster.ts'

export type { ExitCode } from '../../output/terminal.ts'

export interface ReviewDependencies extends Terminal {
  readonly version: string
  /** Makes an admission that knows of no object yet; the product's own by default. */
  readonly admission?: () => AdmissionEngine
  /** Makes the webhooks that recorded reviews are replayed by; the product's own by default. */
  readonly webhooksOver?: WebhooksOver
}

export const REVIEW_FORMATS = ['yaml', 'json', 'patch', 'diff', 'report', 'junit', 'sarif', 'github'] as const
export type ReviewFormat = typeof REVIEW_FORMATS[number]

/** The flags of `review`. */
export interface ReviewFlags extends KnownFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly output: ReviewFormat
  readonly whatIf?: readonly string[]
  readonly replay?: string
  readonly missingConfig: 'warn' | 'refuse'
}

/** `aim-admission review -f FILE…`: admits the objects of files offline, by the webhooks themselves. */
export function reviewCommand (dependencies: ReviewDependencies): Command {
  const command = new Command('review')
    .description('admit the objects in files offline, against the configurations in the files; exit 1 when one is refused, 2 on unusable input')
    .addOption(new Option('-f, --filename <file...>', 'files, folders or patterns of YAML or JSON, - for the standard input; objects of other kinds are passed over')
      .env(environmentVariable('FILENAME')))
    .addOption(new Option('-R, --recursive', 'read folders with all that is below them').env(environmentVariable('RECURSIVE')))
    .addOption(new Option('-o, --output <format>', 'what is printed').env(environmentVariable('OUTPUT')).choices(REVIEW_FORMATS).default('yaml'))
    .addOption(new Option('--configs <file...>', 'files or folders of objects that are there already: known, and not judged').env(environmentVariable('CONFIGS')))
    .addOption(new Option('--old <file...>', 'files of objects as they are stored: an object of the same name is judged as a change of it').env(environmentVariable('OLD')))
    .addOption(new Option('--what-if <file...>', 'files of changed configurations: tell what each would do to every service, and judge nothing else').env(environmentVariable('WHAT_IF')))
    .addOption(new Option('--replay <dir>', 'a folder that serve --record wrote: answer its reviews anew, tell which answers differ, and judge nothing else').env(environmentVariable('REPLAY')))
    .addOption(new Option('--missing-config <what>', 'what becomes of a service whose runtime configuration is missing').env(environmentVariable('MISSING_CONFIG'))
      .choices(['warn', 'refuse']).default('warn'))
  for (const option of clusterFlags(
    'also know what the cluster of this file holds; what is there already is judged as a change'
  )) { command.addOption(option) }
  return command.action(async (flags: ReviewFlags) => {
    if (flags.replay === undefined) await (await import('./run.ts')).review(flags, dependencies)
    else await (await import('./replay.ts')).replay({ ...flags, replay: flags.replay }, dependencies)
  })
}
