import { Command } from 'commander'
import { runUntilSignal } from '../../../app/process.ts'
import { startServer, type Listening } from '../../../app/serve.ts'
import { openProcessLog } from '../../../telemetry/process-log.ts'
import { serveFlags, serveSettings, type ServeFlags } from '../../flags/settings.ts'

export interface ServeDependencies {
  readonly version: string
  readonly onListening?: ((address: Listening) => void) | undefined
}

/** `aim-admission serve`: the admission server, until a signal ends it. */
export function serveCommand ({ version, onListening }: ServeDependencies): Command {
  const command = new Command('serve')
    .description('run the admission server in a cluster, with --kubeconfig, or on the embedded store with --manifests')
  for (const option of serveFlags()) command.addOption(option)
  return command.action(async (flags: ServeFlags) => {
    const settings = serveSettings(flags)
    const processLog = await openProcessLog(settings.logLevel, settings.logFormat)
    await runUntilSignal(processLog, async () =>
      await startServer(settings, { version, log: processLog.log, onListening }))
  })
}
