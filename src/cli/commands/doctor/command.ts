import { Command, Option } from 'commander'
import { pino } from 'pino'
import { bypassPolicy } from '../../../../webhooks/bypass.ts'
import { webhookConfigurations, type RegisteredWebhook } from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import { caBundleCommand } from './check-certificate.ts'
import { clusterReader } from './cluster-reader.ts'
import { examineCluster } from './examine-cluster.ts'
import { shellWord, type CheckResult } from './check-result.ts'
import { connectToCluster } from '../../../kube/client/api-connection.ts'
import { accessManifests } from '../manifests/access.ts'
import { environmentVariable } from '../../flags/options.ts'
import { webhookFlags, webhookOptions, type WebhookFlags } from '../../flags/webhooks.ts'

export interface DoctorDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
  readonly setExitCode: (code: 0 | 1) => void
}

interface DoctorFlags extends WebhookFlags {
  readonly kubeconfig?: string
  readonly server?: string
  readonly certificateDays: string
  readonly output: Format
}

/**
 * `aim-admission doctor`: compares a cluster with what the program needs there; exit 1 where something is to be mended,
 * 2 where it cannot look.
 */
export function doctorCommand (dependencies: DoctorDependencies): Command {
  const command = new Command('doctor')
    .description('compare a cluster with what the program needs there, and print the one command that mends each problem; exit 1 where there is one')
    .addOption(new Option('--kubeconfig <file>', 'the cluster to look at; without it the cluster of this pod').env(environmentVariable('KUBECONFIG')))
    .addOption(new Option('--server <host:port>', 'where to reach the server, in place of the registered address, as behind kubectl port-forward').env(environmentVariable('SERVER')))
    .addOption(new Option('--certificate-days <days>', 'a certificate that ends sooner is a problem').env(environmentVariable('CERTIFICATE_DAYS')).default('3'))
    .addOption(new Option('-o, --output <format>', 'text, or one line of JSON for each finding').env(environmentVariable('OUTPUT')).choices(Object.keys(FORMATS)).default('text'))
  for (const option of webhookFlags()) command.addOption(option)
  return command.action(async (flags: DoctorFlags) => { await doctor(flags, command, dependencies) })
}

async function doctor (flags: DoctorFlags, command: Command, { webhooks, write, setExitCode }: DoctorDependencies): Promise<void> {
  const problems: string[] = []
  const options = webhookOptions(flags, problems)
  const days = /^\d{1,4}$/.test(flags.certificateDays) ? Number(flags.certificateDays) : NaN
  if (Number.isNaN(days)) { problems.push(`--certificate-days is ${flags.certificateDays}, and must be a whole number from 0 to 9999`) }
  if (flags.server !== undefined && !/^.+:\d+$/.test(flags.server)) { problems.push(`--server is ${flags.server}, and must be host:port`) }
  if (problems.length > 0) command.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
  const registration = webhookConfigurations(webhooks, options)
  const connection = await connectToCluster({
    kubeconfig: flags.kubeconfig,
    log: pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }))
  })
  try {
    const findings = await examineCluster({
      cluster: clusterReader(connection.request),
      definitions: customResourceDefinitions(),
      registration,
      bypass: bypassPolicy(),
      access: accessManifests(options.namespace),
      certificate: {
        server: flags.server,
        days,
        now: () => new Date(),
        mend:
          options.client.kind === 'url' ? caBundleCommand(registration, options.client.caBundle) : restartCommand(flags)
      },
      mend: {
        registration: `${manifestsCommandLine('webhooks', command)} | kubectl apply -f -`,
        access: `${manifestsCommandLine('rbac', command)} | kubectl apply -f -`
      }
    })
    write(FORMATS[flags.output](findings))
    setExitCode(findings.some(({ kind }) => kind === 'problem') ? 1 : 0)
  } finally {
    await connection.close()
  }
}

/** The server makes sure of its pair and of the caBundle when it starts. */
function restartCommand ({ namespace, serviceName }: DoctorFlags): string {
  return `kubectl -n ${shellWord(namespace)} rollout restart deployment ${shellWord(serviceName)}`
}

/** The `manifests` command with those of its flags that were given to this one. */
function manifestsCommandLine (what: 'webhooks' | 'rbac', command: Command): string {
  const known = webhookFlags().filter((option) => what === 'webhooks' || option.attributeName() === 'namespace')
  const given = known.filter(
    (option) => !['default', undefined].includes(command.getOptionValueSource(option.attributeName()))
  )
  const flags = given.map(
    (option) => `${option.long ?? ''} ${shellWord(String(command.getOptionValue(option.attributeName())))}`
  )
  return ['aim-admission manifests', what, ...flags].join(' ')
}

type Format = keyof typeof FORMATS

const FORMATS = {
  text: (findings: readonly CheckResult[]) => findings.map(inWords).join('') + summary(findings),
  json: (findings: readonly CheckResult[]) => findings.map((finding) => `${JSON.stringify(finding)}\n`).join('')
}

const SIGNS = { well: 'ok     ', note: 'note   ', unknown: 'unknown', problem: 'PROBLEM' } as const

function inWords (finding: CheckResult): string {
  const line = `${SIGNS[finding.kind]}  ${finding.check}: ${finding.subject}: ${finding.what}\n`
  return finding.kind === 'problem' ? `${line}         to mend it: ${finding.mend}\n` : line
}

function summary (findings: readonly CheckResult[]): string {
  const count = (kind: CheckResult['kind']): number => findings.filter((finding) => finding.kind === kind).length
  return `${findings.length} looked at: ${count('well')} well, ${count('problem')} to mend, ${count('unknown')} unknown, ${count('note')} to note\n`
}
