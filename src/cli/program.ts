import { Command } from 'commander'
import type { RegisteredWebhook } from '../../webhooks/webhook-configurations.ts'
import { readSwitches } from './flags/read-flags.ts'
import type { Terminal } from './output/terminal.ts'

export interface ProgramDependencies {
  /** `aim-admission`, or `kubectl aim`. */
  readonly name: string
  readonly version: string
  readonly description: string
  readonly terminal: Terminal
}

/** A command as the help of the program shows it. Its modules are loaded on use: those of the server take 0.5 s. */
interface Entry {
  readonly name: string
  readonly summary: string
  /** Command lines for its help. A test parses them. */
  readonly examples: readonly [string, string, ...string[]]
  readonly load: (dependencies: ProgramDependencies) => Promise<Command>
}

/** In the order of the help. */
export const COMMANDS: readonly Entry[] = [
  {
    name: 'serve',
    summary: 'run the admission server',
    examples: [
      'aim-admission serve --manifests deploy/examples',
      'aim-admission serve --kubeconfig ~/.kube/config --cert-file tls.crt --key-file tls.key',
      'aim-admission serve --record /var/lib/aim-admission/reviews'
    ],
    load: async ({ version, terminal: { write } }) =>
      (await import('./commands/serve/command.ts')).serveCommand({ version, write })
  },
  {
    name: 'reconcile',
    summary: 'run the reconciler, which writes status and rolls changed configurations out',
    examples: [
      'aim-admission reconcile --kubeconfig ~/.kube/config',
      'aim-admission reconcile --rollout-rate 20 --rollout-failure-limit 1'
    ],
    load: async (dependencies) => (await import('./commands/serve/command.ts')).reconcileCommand(dependencies)
  },
  {
    name: 'review',
    summary: 'admit objects in files before they are applied to a cluster',
    examples: [
      'kustomize build overlays/prod | aim-admission review -f - -o report',
      'aim-admission review -R -f services --configs configs -o sarif > review.sarif',
      'aim-admission review --what-if new-config.yaml --kubeconfig ~/.kube/config',
      'aim-admission review --replay reviews -o report'
    ],
    load: async ({ version, terminal }) =>
      (await import('./commands/review/command.ts')).reviewCommand({ ...terminal, version })
  },
  {
    name: 'explain',
    summary: 'explain the settings of a service',
    examples: [
      'kubectl aim explain llama-chat -n ml-team --check',
      'aim-admission explain translator -f deploy/examples -o json'
    ],
    load: async ({ terminal }) => (await import('./commands/explain/command.ts')).explainCommand(terminal)
  },
  {
    name: 'status',
    summary: 'show how far each configuration is rolled out',
    examples: ['kubectl aim status -A --watch', 'aim-admission status default -n ml-team -o json'],
    load: async ({ terminal }) => (await import('./commands/status/command.ts')).statusCommand(terminal)
  },
  {
    name: 'doctor',
    summary: 'compare a cluster with what the program needs',
    examples: [
      'aim-admission doctor --kubeconfig ~/.kube/config',
      'aim-admission doctor --server 127.0.0.1:8443 -o json'
    ],
    load: async ({ terminal }) =>
      (await import('./commands/doctor/command.ts')).doctorCommand({ ...terminal, webhooks: await everyWebhook() })
  },
  {
    name: 'test',
    summary: 'compare the verdicts for a folder of objects with the expected ones',
    examples: ['aim-admission test deploy/examples-tests', 'aim-admission test deploy/examples-tests --update'],
    load: async ({ terminal }) => (await import('./commands/test/command.ts')).testCommand(terminal)
  },
  {
    name: 'manifests',
    summary: 'print the manifests that a cluster needs before the server runs',
    examples: [
      'aim-admission manifests crds | kubectl apply -f -',
      'aim-admission manifests webhooks --url https://admission.example.com:8443 --ca-file ca.crt | kubectl apply -f -'
    ],
    load: async ({ terminal: { write } }) =>
      (await import('./commands/manifests/command.ts')).manifestsCommand({ webhooks: await everyWebhook(), write })
  },
  {
    name: 'completion',
    summary: 'print a completion script for your shell',
    examples: [
      'source <(aim-admission completion bash)',
      'aim-admission completion fish > ~/.config/fish/completions/aim-admission.fish'
    ],
    load: async (dependencies) => {
      const { completionCommand } = await import('./commands/completion/command.ts')
      const program = async () => await newProgram(dependencies, () => true)
      return completionCommand({ program, write: dependencies.terminal.write })
    }
  }
]

/** The program. Commands that are not `wanted` only have a name and a summary. */
export async function newProgram (
  dependencies: ProgramDependencies, wanted: (name: string) => boolean
): Promise<Command> {
  const { name, version, description } = dependencies
  const program = new Command(name).description(description).version(version)
    .showHelpAfterError('(--help shows commands and flags)')
    .hook('preAction', (_, command) => { readSwitches(command) })
  for (const entry of COMMANDS) {
    const command = wanted(entry.name) ? await entry.load(dependencies) : new Command(entry.name)
    const examples = entry.examples.map((example) => `  ${example}\n`).join('')
    program.addCommand(command.summary(entry.summary).addHelpText('after', `\nExamples:\n${examples}`))
  }
  useTerminal(program, dependencies.terminal)
  return program
}

/** Commander writes help and errors, which may quote an argument, by the terminal too. Its 1 means a verdict here. */
function useTerminal (command: Command, terminal: Terminal): void {
  command.configureOutput({
    writeOut: terminal.write,
    writeErr: terminal.writeError,
    outputError: (text, write) => { write(text + otherUnknown(text, command)) }
  }).exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  for (const child of command.commands) useTerminal(child, terminal)
}

/** Commander reports the first unknown flag alone. */
function otherUnknown (text: string, { args }: Command): string {
  const [, first] = /^error: unknown option '(.*)'/.exec(text) ?? []
  const others = args.filter((arg) => first !== undefined && arg !== first && /^-./.test(arg))
  return others.map((flag) => `error: unknown option '${flag}'\n`).join('')
}

/** The webhooks as they are registered. */
async function everyWebhook (): Promise<readonly RegisteredWebhook[]> {
  const { newAdmissionEngine } = await import('../../webhooks/engine.ts')
  return newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }).webhooks
}
