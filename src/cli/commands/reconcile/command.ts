import { Command } from 'commander'
import { runUntilSignal } from '../../../app/process.ts'
import { startReconciler } from '../../../app/reconcile.ts'
import { openProcessLog } from '../../../telemetry/process-log.ts'
import { reconcileFlags, reconcileSettings, type ReconcileFlags } from '../../flags/settings.ts'

/** `aim-admission reconcile`: the reconciler, until a signal ends it. */
export function reconcileCommand ({ version }: { readonly version: string }): Command {
  const command = new Command('reconcile')
    .description('run the reconciler, which writes status and rolls changed configurations out; one replica leads')
  for (const option of reconcileFlags()) command.addOption(option)
  return command.action(async (flags: ReconcileFlags) => {
    const settings = reconcileSettings(flags)
    const processLog = await openProcessLog(settings.logLevel, settings.logFormat)
    await runUntilSignal(processLog, async () => await startReconciler(settings, processLog.log, version))
  })
}
