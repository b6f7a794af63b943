import { Command } from 'commander'
import { examplesText } from './commands/examples/command.ts'
import type { Listening } from './commands/serve/command.ts'
import type { Terminal } from './output/terminal.ts'

export interface ProgramDependencies {
  /** As people call it: `aim-admission`, or `kubectl aim`. */
  readonly name: string
  readonly version: string
  readonly description: string
  readonly terminal: Terminal
  /** Told where a server listens. */
  readonly onListening?: ((address: Listening) => void) | undefined
}

/**
 * A command by what the help of the program shows of it. What it needs is loaded only once it is asked for, since the
 * server alone takes half a second.
 */
interface Entry {
  readonly name: string
  readonly summary: string
  readonly load: (dependencies: ProgramDependencies) => Promise<Command>
}

/** Every command, in the order of the help. */
export const COMMANDS: readonly Entry[] = [
  {
    name: 'serve',
    summary: 'run the admission server',
    load: async ({ version, onListening }) =>
      (await import('./commands/serve/command.ts')).serveCommand({ version, onListening })
  },
  {
    name: 'reconcile',
    summary: 'run the reconciler: write status, and carry changed configurations to the services that use them',
    load: async ({ version }) => (await import('./commands/reconcile/command.ts')).reconcileCommand({ version })
  },
  {
    name: 'review',
    summary: 'admit the objects in files before they meet a cluster',
    load: async ({ version, terminal }) =>
      (await import('./commands/review/command.ts')).reviewCommand({ ...terminal, version })
  },
  {
    name: 'explain',
    summary: 'tell why a service has the settings that it has',
    load: async ({ terminal }) => (await import('./commands/explain/command.ts')).explainCommand(terminal)
  },
  {
    name: 'doctor',
    summary: 'compare a cluster with what the program needs',
    load: async ({ terminal: { write, setExitCode } }) => {
      const { everyWebhook } = await import('../app/every-webhook.ts')
      return (await import('./commands/doctor/command.ts')).doctorCommand({
        webhooks: everyWebhook(),
        write,
        setExitCode
      })
    }
  },
  {
    name: 'test',
    summary: 'keep a folder of configurations and services to what is expected of them',
    load: async ({ terminal }) => (await import('./commands/test/command.ts')).testCommand(terminal)
  },
  {
    name: 'manifests',
    summary: 'print what a cluster needs before the server runs',
    load: async ({ terminal: { write } }) =>
      (await import('./commands/manifests/command.ts')).manifestsCommand({
        webhooks: (await import('../app/every-webhook.ts')).everyWebhook(),
        write
      })
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands and flags in your shell',
    load: async (dependencies) => {
      const { completionCommand } = await import('./commands/completion/command.ts')
      return completionCommand({
        program: async () => await newProgram(dependencies, () => true),
        write: dependencies.terminal.write
      })
    }
  }
]

/** The program with the commands that `wanted` names in full; the others stand for themselves in its help. */
export async function newProgram (dependencies: ProgramDependencies, wanted: (name: string) => boolean): Promise<Command> {
  const { name, version, description } = dependencies
  const program = new Command(name)
    .description(description)
    .version(version)
    .showHelpAfterError('(--help shows what there is)')
  for (const entry of COMMANDS) {
    const command = wanted(entry.name) ? await entry.load(dependencies) : new Command(entry.name)
    program.addCommand(command.summary(entry.summary).addHelpText('after', examplesText(entry.name)))
  }
  return program
}
