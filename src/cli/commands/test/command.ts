import { Command } from 'commander'
import { flag, missingConfigFlag } from '../../flags/read-flags.ts'
import { pathFlags, type PathFlags } from '../../flags/settings.ts'
import type { Terminal } from '../../output/terminal.ts'

/** As given. */
export interface TestFlags extends PathFlags {
  readonly update?: true
  readonly output: 'report' | 'junit'
  readonly missingConfig: 'warn' | 'refuse'
}

/** `aim-admission test DIR`: compares the verdicts for a folder of objects with the expected ones. */
export function testCommand (terminal: Terminal): Command {
  const command = new Command('test')
    .description('review the cases of a folder; exit 1 if one differs from its expected.yaml, 2 on unusable input')
    .argument('<dir>', 'cases: folders of manifests with an expected.yaml; known*.yaml and old*.yaml exist already')
    .addOption(flag('--update', 'write the results as expected.yaml if they differ'))
    .addOption(flag('-o, --output <format>', 'output format', 'report').choices(['report', 'junit']))
    .addOption(missingConfigFlag())
  for (const option of pathFlags()) command.addOption(option)
  return command.action(async (dir: string, flags: TestFlags) => {
    await (await import('./run.ts')).test(dir, flags, terminal)
  })
}
