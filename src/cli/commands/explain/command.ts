import { Command } from 'commander'
import { filesFlag, flag } from '../../flags/read-flags.ts'
import { pathFlags, type PathFlags } from '../../flags/settings.ts'
import type { Terminal } from '../../output/terminal.ts'
import { clusterFlags, objectNamespaceFlag, type ClusterFlags } from '../../user-cluster.ts'

/** As given. */
export interface ExplainFlags extends ClusterFlags, PathFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly allNamespaces?: true
  readonly output: 'table' | 'json'
  readonly check?: true
}

/** `aim-admission explain SERVICE`: where the settings of a service come from. */
export function explainCommand (terminal: Terminal): Command {
  const command = new Command('explain')
    .description('explain the settings of a service: which configuration applies, where each setting comes from, ' +
      'how the path is rendered')
    .argument('[service...]',
      'NAME, aimsvc/NAME, or aimsvc NAME; without it, every service of the files or the namespace')
    .addOption(filesFlag('-f, --filename <file>',
      'file, folder or pattern, - for standard input; repeatable (default: the cluster)'))
    .addOption(flag('-R, --recursive', 'read folders recursively'))
    .addOption(objectNamespaceFlag('namespace of the service (default in a cluster: that of the context)'))
    .addOption(flag('-A, --all-namespaces', 'services of all namespaces'))
    .addOption(flag('-o, --output <format>', 'output format', 'table').choices(['table', 'json']))
    .addOption(flag('--check', 'check in the cluster, with your rights, whether the settings name usable objects'))
  const cluster = clusterFlags('cluster of the service (default: that of kubectl)')
  for (const option of [...pathFlags(), ...cluster]) command.addOption(option)
  return command.action(async (names: readonly string[], flags: ExplainFlags) => {
    await (await import('./run.ts')).explain(names, flags, terminal)
  })
}
