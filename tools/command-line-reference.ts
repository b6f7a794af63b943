import type { Command, Option } from 'commander'
import GithubSlugger from 'github-slugger'
import { COMMANDS } from '../src/cli/program.ts'

/** Every command with its arguments, flags, variables and examples, as Markdown. All commands must be loaded. */
export function commandLineReference (program: Command): string {
  return program.commands
    .flatMap((command) => [
      section(command, []),
      ...command.commands.map((subcommand) => section(subcommand, [command.name()]))
    ])
    .join('\n')
}

/** Every command with what it does in one line, as a table of links to the reference. */
export function commandList (program: Command): string {
  const rows = program.commands.map((command) => {
    const anchor = new GithubSlugger().slug(usageOf(command, command.name()))
    const summary = COMMANDS.find(({ name }) => name === command.name())?.summary ?? command.description()
    return `| [\`${command.name()}\`](#${anchor}) | ${cell(summary)} |\n`
  })
  return ['| command | to |\n|---|---|\n', ...rows].join('')
}

function usageOf (command: Command, name: string): string {
  return [
    `aim-admission ${name}`,
    ...command.registeredArguments.map((argument) =>
      argument.required ? `<${argument.name()}>` : `[${argument.name()}]`
    )
  ].join(' ')
}

function section (command: Command, above: readonly string[]): string {
  const name = [...above, command.name()].join(' ')
  const usage = usageOf(command, name)
  const args = command.registeredArguments.map((argument) => `\`${argument.name()}\`: ${cell(argument.description)}.\n`)
  const examples = COMMANDS.find((entry) => entry.name === name)?.examples ?? []
  return [
    `${'#'.repeat(above.length + 3)} \`${usage}\`\n\n${sentence(command.description())}\n`,
    ...(args.length > 0 ? ['\n', ...args] : []),
    ...(command.options.length > 0
      ? ['\n| flag | variable | description |\n|---|---|---|\n', ...command.options.map(row)]
      : []),
    ...(examples.length > 0 ? [`\n\`\`\`bash\n${examples.join('\n')}\n\`\`\`\n`] : [])
  ].join('')
}

function row (option: Option): string {
  const { flags, description, envVar, argChoices } = option
  const defaultValue: unknown = option.defaultValue
  const more = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(typeof defaultValue === 'string' ? [`default ${defaultValue}`] : [])
  ]
  const variable = envVar === undefined ? '' : `\`${envVar}\``
  return `| \`${cell(flags)}\` | ${variable} | ${[cell(description), ...more].join('; ')} |\n`
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|')
}

function sentence (text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
