import { Argument, Command } from 'commander'
import { bashCompletion, fishCompletion, zshCompletion } from './scripts.ts'

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const

export interface CompletionDependencies {
  /** The program with every command in full. */
  readonly program: () => Promise<Command>
  readonly write: (text: string) => void
}

/**
 * `aim-admission completion bash|zsh|fish`: a script by which a shell completes commands, flags and the values that
 * flags take.
 */
export function completionCommand ({ program, write }: CompletionDependencies): Command {
  return new Command('completion')
    .description('print a script that completes commands, flags and their values in your shell')
    .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(SCRIPTS)))
    .action(async (shell: keyof typeof SCRIPTS) => { write(SCRIPTS[shell](await program())) })
}
