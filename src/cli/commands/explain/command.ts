import { Command, Option } from 'commander'
import { environmentVariable } from '../../flags/options.ts'
import type { Terminal } from '../../output/terminal.ts'
import { clusterFlags, type ClusterFlags } from '../../user-cluster.ts'

/** The flags of `explain`. */
export interface ExplainFlags extends ClusterFlags {
  readonly filename?: readonly string[]
  readonly recursive?: true
  readonly namespace?: string
  readonly output: 'table' | 'json'
  readonly check?: true
}

/** `aim-admission explain SERVICE`: why a service has the settings that it has. */
export function explainCommand (terminal: Terminal): Command {
  const command = new Command('explain')
    .description('tell why a service has the settings that it has: which configuration won, where each setting comes from, how the path was put together')
    .argument('[service]', 'name of the service, or aimsvc/NAME; every service of the files, or of the namespace, where none is named')
    .addOption(new Option('-f, --filename <file>', 'a file, folder or pattern with the service and its configurations, - for the standard input; may come several times; without it the cluster')
      .argParser((file: string, before: readonly string[] | undefined) => [...before ?? [], file]).env(environmentVariable('FILENAME')))
    .addOption(new Option('-R, --recursive', 'read folders with all that is below them').env(environmentVariable('RECURSIVE')))
    .addOption(new Option('-n, --namespace <name>', 'namespace of the service; in a cluster the default is that of the context').env(environmentVariable('SERVICE_NAMESPACE')))
    .addOption(new Option('-o, --output <format>', 'what is printed').env(environmentVariable('OUTPUT')).choices(['table', 'json']).default('table'))
    .addOption(new Option('--check', 'also ask the cluster, with your rights, whether what the settings name is there and can be used').env(environmentVariable('CHECK')))
  for (const option of clusterFlags('the cluster to ask; the default is kubectl\'s')) command.addOption(option)
  return command.action(async (name: string | undefined, flags: ExplainFlags) => {
    const { explain } = await import('./run.ts')
    await explain(name, flags, terminal)
  })
}
