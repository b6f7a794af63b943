import { Command } from 'commander'
import type { AdmissionEngine } from '../../../../webhooks/engine.ts'
import type { WebhooksOver } from '../../../recording/replay.ts'
import { filesFlag, flag, missingConfigFlag } from '../../flags/read-flags.ts'
import { pathFlags, type PathFlags } from '../../flags/settings.ts'
import type { KnownFlags } from '../../known-objects.ts'
import type { Terminal } from '../../output/terminal.ts'
import { clusterFlags, objectNamespaceFlag } from '../../user-cluster.ts'

export interface ReviewDependencies extends Terminal {
  readonly version: string
  /** Returns an empty engine; by default the product's. */
  readonly admission?: () => AdmissionEngine
  /** The webhooks that recorded reviews are replayed by; by default the product's. */
  readonly webhooksOver?: WebhooksOver
}

export const REVIEW_FORMATS = ['yaml', 'json', 'patch', 'diff', 'report', 'junit', 'sarif', 'github'] as const
export type ReviewFormat = typeof REVIEW_FORMATS[number]

/** As given. */
export interface ReviewFlags extends KnownFlags, PathFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly output: ReviewFormat
  readonly whatIf?: readonly string[]
  readonly replay?: string
  readonly missingConfig: 'warn' | 'refuse'
}

/** `aim-admission review -f FILE…`: admits objects in files by the webhooks themselves. */
export function reviewCommand (dependencies: ReviewDependencies): Command {
  const command = new Command('review')
    .description('admit objects in files, as a cluster would; exit 1 if one is refused, 2 on unusable input')
    .addOption(filesFlag('-f, --filename <file...>', 'files, folders or patterns, - for standard input'))
    .addOption(flag('-R, --recursive', 'read folders recursively'))
    .addOption(objectNamespaceFlag('namespace of objects without one (default: as for kubectl)'))
    .addOption(flag('-o, --output <format>', 'output format', 'yaml').choices(REVIEW_FORMATS))
    .addOption(filesFlag('--configs <file...>', 'files or folders of objects that exist already, and are not reviewed'))
    .addOption(filesFlag('--old <file...>',
      'files of stored objects; an object of the same name is reviewed as a change'))
    .addOption(filesFlag('--what-if <file...>',
      'files of changed configurations: print only their effect on each service'))
    .addOption(flag('--replay <dir>', 'folder of serve --record: print only the responses that differ in a replay'))
    .addOption(missingConfigFlag())
  const cluster = 'cluster of stored objects; an object of the same name is reviewed as a change'
  for (const option of [...pathFlags(), ...clusterFlags(cluster)]) command.addOption(option)
  return command.action(async (flags: ReviewFlags) => {
    if (flags.replay === undefined) await (await import('./run.ts')).review(flags, dependencies)
    else await (await import('./replay.ts')).replay({ ...flags, replay: flags.replay }, dependencies)
  })
}
