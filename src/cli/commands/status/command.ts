import { Command } from 'commander'
import { apiGroupFlag, flag } from '../../flags/read-flags.ts'
import type { Terminal } from '../../output/terminal.ts'
import { clusterFlags, objectNamespaceFlag, type ClusterFlags } from '../../user-cluster.ts'

/** As given. */
export interface StatusFlags extends ClusterFlags {
  readonly allNamespaces?: true
  readonly output: 'text' | 'json'
  readonly watch?: true
}

/** `aim-admission status`: how far each configuration is rolled out. */
export function statusCommand (terminal: Terminal): Command {
  const command = new Command('status')
    .description('show how far each configuration is rolled out to its services, as the reconciler recorded it; ' +
      'exit 1 if a rollout cannot continue by itself')
    .argument('[config]', 'name of the configurations; without it, those of the cluster and of the namespace')
    .addOption(objectNamespaceFlag('namespace of the configurations (default: that of the context)'))
    .addOption(flag('-A, --all-namespaces', 'configurations of all namespaces'))
    .addOption(flag('-w, --watch', 'show changes until Ctrl-C: a live view on a terminal, else a line for each'))
    .addOption(flag('-o, --output <format>', 'text, or json with one line per configuration', 'text')
      .choices(['text', 'json']))
  const cluster = clusterFlags('cluster of the configurations (default: that of kubectl)')
  for (const option of [...cluster, apiGroupFlag()]) command.addOption(option)
  return command.action(async (name: string | undefined, flags: StatusFlags) => {
    await (await import('./run.ts')).status(name, flags, terminal)
  })
}
