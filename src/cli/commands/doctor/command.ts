import { Command } from 'commander'
import type { RegisteredWebhook } from '../../../../webhooks/webhook-configurations.ts'
import { certificateSourceFlag, type CertificateSource } from '../../flags/certificates.ts'
import { apiGroupFlag, flag, wholeNumber } from '../../flags/read-flags.ts'
import { webhookFlags, webhookOptions, type WebhookFlags } from '../../flags/webhooks.ts'
import { clusterFlags, kubectlFiles } from '../../user-cluster.ts'
import { FORMATTERS, type DoctorFormat } from './format.ts'
import { examine } from './run.ts'

export interface DoctorDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
  readonly setExitCode: (code: 0 | 1) => void
}

interface DoctorFlags extends WebhookFlags {
  readonly certificates: CertificateSource
  readonly kubeconfig?: string
  readonly context?: string
  readonly server?: string
  readonly certificateDays: string
  readonly output: DoctorFormat
}

/** `aim-admission doctor`: compares a cluster with what the program needs. Exit code 1 if there is a problem. */
export function doctorCommand ({ webhooks, write, setExitCode }: DoctorDependencies): Command {
  const command = new Command('doctor')
    .description('compare a cluster with what the program needs, and print a fix for each problem; exit 1 if any')
    .addOption(flag('--server <host:port>', 'address of the server, instead of the registered one'))
    .addOption(flag('--certificate-days <days>', 'report certificates that expire sooner', '3'))
    .addOption(flag('-o, --output <format>', 'text, or json with one line per result', 'text')
      .choices(Object.keys(FORMATTERS)))
  const options = [...clusterFlags('the cluster (default: that of kubectl, or of this pod)'), ...webhookFlags()]
  for (const option of [...options, apiGroupFlag(), certificateSourceFlag()]) command.addOption(option)
  return command.action(async (flags: DoctorFlags) => {
    const problems: string[] = []
    const options = webhookOptions(flags, problems)
    const days = wholeNumber('certificate-days', flags.certificateDays, { to: 9_999, problems })
    if (flags.server !== undefined && !/^.+:\d+$/.test(flags.server)) {
      problems.push(`--server must be host:port, not "${flags.server}"`)
    }
    if (problems.length > 0) command.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
    const results = await examine(webhooks, {
      kubeconfig: flags.kubeconfig ?? kubectlFiles(),
      context: flags.context,
      server: flags.server,
      days,
      registration: options,
      caFile: flags.caFile,
      certificates: flags.certificates,
      isGiven: (name) => !['default', undefined].includes(command.getOptionValueSource(name))
    })
    write(FORMATTERS[flags.output](results))
    setExitCode(results.some(({ kind }) => kind === 'problem') ? 1 : 0)
  })
}
