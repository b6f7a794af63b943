import { Argument, Command } from 'commander'

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const

export interface CompletionDependencies {
  /** The program with every command loaded. */
  readonly program: () => Promise<Command>
  readonly write: (text: string) => void
}

/** `aim-admission completion bash|zsh|fish`: completes commands, flags and their values. */
export function completionCommand ({ program, write }: CompletionDependencies): Command {
  return new Command('completion')
    .description('print a script that completes commands, flags and their values in your shell')
    .addArgument(new Argument('<shell>', 'shell of the script').choices(Object.keys(SCRIPTS)))
    .action(async (shell: keyof typeof SCRIPTS) => { write(SCRIPTS[shell](await program())) })
}

/** Falls back to file names, as without a script. */
export function bashCompletion (program: Command): string {
  const all = completions(program)
  const name = program.name()
  const called = `_${name.replaceAll(/\W/g, '_')}`
  const values = all.flatMap(({ words, flags }) => flags.filter(({ choices }) => choices.length > 0).map((flag) => {
    const names = [flag.long, flag.short].filter((each) => each !== undefined)
    const patterns = names.map((each) => `'${words.join(' ')} ${each}'`).join('|')
    return `    ${patterns}) words='${flag.choices.join(' ')}' ;;\n`
  }))
  const next = all.map(({ words, subcommands, flags, values }) => {
    const candidates = [...subcommands.map((each) => each.name), ...values, ...flags.map(({ long }) => long)]
    return `    '${words.join(' ')}') words='${candidates.join(' ')}' ;;\n`
  })
  const commands = all.filter(({ words }) => words.length > 0).map(({ words }) => `'${words.join(' ')}'`).join('|')
  return `# completion of ${name} for bash: source <(${name} completion bash)
${called} () {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" at= word words= at_next=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    at_next="\${at:+$at }$word"
    case "$at_next" in
      ${commands}) at="$at_next" ;;
    esac
  done
  case "$at $previous" in
${values.join('')}  esac
  if [ -z "$words" ]; then
    case "$at" in
${next.join('')}    esac
    case "$previous" in -*) words= ;; esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F ${called} ${name}
`
}

/** zsh runs the script for bash. */
export function zshCompletion (program: Command): string {
  return `#compdef ${program.name()}\nautoload -U +X bashcompinit && bashcompinit\n${bashCompletion(program)}`
}

export function fishCompletion (program: Command): string {
  const name = program.name()
  const lines = completions(program).flatMap(({ words, subcommands, flags, values }) => {
    const condition = words.length === 0
      ? '__fish_use_subcommand'
      : words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    const start = `complete -c ${name} -n '${condition}'`
    return [
      ...subcommands.map((subcommand) => `${start} -f -a ${subcommand.name} -d '${quoted(subcommand.summary)}'`),
      ...values.map((value) => `${start} -f -a ${value}`),
      ...flags.map(({ long, short, summary, takesValue, choices }) => [
        start,
        `-l ${long.replace(/^--/, '')}`,
        ...(short === undefined ? [] : [`-s ${short.replace('-', '')}`]),
        ...(takesValue ? ['-r'] : []),
        ...(choices.length > 0 ? [`-f -a '${choices.join(' ')}'`] : []),
        `-d '${quoted(summary)}'`
      ].join(' '))
    ]
  })
  return `# completion of ${name} for fish\n${lines.join('\n')}\n`
}

function quoted (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'')
}

/** What can follow a command. */
interface Completion {
  /** `manifests webhooks`; empty for the program. */
  readonly words: readonly string[]
  readonly subcommands: readonly { readonly name: string, readonly summary: string }[]
  readonly flags: readonly CompletedFlag[]
  /** Values of the first argument. */
  readonly values: readonly string[]
}

interface CompletedFlag {
  readonly long: string
  readonly short: string | undefined
  readonly summary: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
}

function completions (command: Command, words: readonly string[] = []): Completion[] {
  const help = command.createHelp()
  return [
    {
      words,
      subcommands: help.visibleCommands(command).map((subcommand) => ({
        name: subcommand.name(),
        summary: subcommand.summary() || subcommand.description()
      })),
      flags: help.visibleOptions(command).map(({ long, short, description, required, argChoices }) =>
        ({ long: long ?? '', short, summary: description, takesValue: required, choices: argChoices ?? [] })),
      values: command.registeredArguments[0]?.argChoices ?? []
    },
    ...command.commands.flatMap((subcommand) => completions(subcommand, [...words, subcommand.name()]))
  ]
}
