import { Command, Option } from 'commander'
import { environmentVariable } from '../../flags/options.ts'
import type { Terminal } from '../../output/terminal.ts'

/** The flags of `test`. */
export interface TestFlags {
  readonly update?: true
  readonly output: 'report' | 'junit'
  readonly missingConfig: 'warn' | 'refuse'
}

/** `aim-admission test DIR`: keeps a folder of configurations and services to what is expected of them. */
export function testCommand (terminal: Terminal): Command {
  return new Command('test')
    .description('review every case of a folder and compare it with its expected.yaml; exit 1 when one differs, 2 on unusable input')
    .argument('<dir>', 'a folder of cases: each is a folder of manifests with an expected.yaml; in it known*.yaml is there already, old*.yaml is stored')
    .addOption(new Option('--update', 'write what comes out as expected.yaml, where it differs or is missing').env(environmentVariable('UPDATE')))
    .addOption(new Option('-o, --output <format>', 'what is printed').env(environmentVariable('OUTPUT')).choices(['report', 'junit']).default('report'))
    .addOption(new Option('--missing-config <what>', 'what becomes of a service whose runtime configuration is missing').env(environmentVariable('MISSING_CONFIG'))
      .choices(['warn', 'refuse']).default('warn'))
    .action(async (dir: string, flags: TestFlags) => {
      const { test } = await import('./run.ts')
      await test(dir, flags, terminal)
    })
}
