import type { Command } from 'commander'

interface CompletedFlag {
  readonly long: string
  readonly short: string | undefined
  readonly summary: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
}

/** A command by the words that lead to it, and what may follow them. */
interface Completed {
  /** Without the program's name: `manifests webhooks`. */
  readonly words: readonly string[]
  readonly subcommands: readonly { readonly name: string, readonly summary: string }[]
  readonly flags: readonly CompletedFlag[]
  /** The values that its first argument may have. */
  readonly values: readonly string[]
}

function completed (command: Command, words: readonly string[] = []): Completed[] {
  const visible = command.createHelp().visibleCommands(command)
  return [
    {
      words,
      subcommands: visible.map((subcommand) => ({
        name: subcommand.name(),
        summary: subcommand.summary() || subcommand.description()
      })),
      flags: command.createHelp().visibleOptions(command).map(({ long, short, description, required, argChoices }) =>
        ({ long: long ?? '', short, summary: description, takesValue: required, choices: argChoices ?? [] })),
      values: command.registeredArguments[0]?.argChoices ?? []
    },
    ...command.commands.flatMap((subcommand) => completed(subcommand, [...words, subcommand.name()]))
  ]
}

/** Names of files complete where nothing else is known, as they do without a script. */
export function bashCompletion (program: Command): string {
  const all = completed(program)
  const name = program.name()
  const called = `_${name.replaceAll(/\W/g, '_')}`
  const values = all.flatMap(({ words, flags }) => flags.filter(({ choices }) => choices.length > 0)
    .map(({ long, short, choices }) => `    ${[long, short].filter((flag) => flag !== undefined).map((flag) => `'${words.join(' ')} ${flag}'`).join('|')}) words='${choices.join(' ')}' ;;\n`))
  const known = all.map(({ words, subcommands, flags, values }) =>
    `    '${words.join(' ')}') words='${[...subcommands.map((subcommand) => subcommand.name), ...values, ...flags.map(({ long }) => long)].join(' ')}' ;;\n`)
  return `# completion of ${name} for bash: source <(${name} completion bash)
${called} () {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" at= word words= at_next=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    at_next="\${at:+$at }$word"
    case "$at_next" in
      ${all.filter(({ words }) => words.length > 0).map(({ words }) => `'${words.join(' ')}'`).join('|')}) at="$at_next" ;;
    esac
  done
  case "$at $previous" in
${values.join('')}  esac
  if [ -z "$words" ]; then
    case "$at" in
${known.join('')}    esac
    case "$previous" in -*) words= ;; esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F ${called} ${name}
`
}

/** zsh reads that of bash. */
export function zshCompletion (program: Command): string {
  return `#compdef ${program.name()}\nautoload -U +X bashcompinit && bashcompinit\n${bashCompletion(program)}`
}

export function fishCompletion (program: Command): string {
  const name = program.name()
  const lines = completed(program).flatMap(({ words, subcommands, flags, values }) => {
    const condition =
      words.length === 0
        ? '__fish_use_subcommand'
        : words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    const start = `complete -c ${name} -n '${condition}'`
    return [
      ...subcommands.map((subcommand) => `${start} -f -a ${subcommand.name} -d '${quoted(subcommand.summary)}'`),
      ...values.map((value) => `${start} -f -a ${value}`),
      ...flags.map(({ long, short, summary, takesValue, choices }) => [
        start, `-l ${long.replace(/^--/, '')}`, ...(short === undefined ? [] : [`-s ${short.replace('-', '')}`]),
        ...(takesValue ? ['-r'] : []), ...(choices.length > 0 ? [`-f -a '${choices.join(' ')}'`] : []), `-d '${quoted(summary)}'`
      ].join(' '))
    ]
  })
  return `# completion of ${name} for fish\n${lines.join('\n')}\n`
}

function quoted (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'')
}
