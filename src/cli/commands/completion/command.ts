import { Argument, Command, type Option } from 'commander'

const SCRIPTS = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  /** An executable for kubectl, which asks the program. */
  kubectl: () => '#!/bin/sh\n# completion of kubectl aim: an executable kubectl_complete-aim on the PATH\n' +
    'AIM_ADMISSION_COMPLETE=kubectl exec kubectl-aim "$@"\n'
} as const

export interface CompletionDependencies {
  /** The program with every command loaded. */
  readonly program: () => Promise<Command>
  readonly write: (text: string) => void
}

/** `aim-admission completion`: scripts that complete commands, flags and values; that of kubectl runs this program. */
export function completionCommand ({ program, write }: CompletionDependencies): Command {
  return new Command('completion')
    .description('print a script that completes commands, flags and their values in your shell')
    .addArgument(new Argument('<shell>', 'shell of the script; kubectl: an executable kubectl_complete-aim')
      .choices(Object.keys(SCRIPTS)))
    .action(async (shell: keyof typeof SCRIPTS) => { write(SCRIPTS[shell](await program())) })
}

/** Falls back to file names, as without a script: readline quotes them, and adds a slash to folders. */
export function bashCompletion (program: Command): string {
  const all = completions(program)
  const name = commandName(program)
  const called = `_${name.replaceAll(/\W/g, '_')}`
  const values = all.flatMap(({ words, flags }) => flags.filter(({ argChoices }) => argChoices).map((flag) => {
    const names = [flag.long, flag.short].filter((each) => each !== undefined)
    const patterns = names.map((each) => `'${words.join(' ')} ${each}'`).join('|')
    return `    ${patterns}) words='${flag.argChoices?.join(' ')}' ;;\n`
  }))
  const next = all.map(({ words, subcommands, flags, values }) => {
    const candidates = [...subcommands.map((each) => each.name()), ...values, ...flags.map(({ long }) => long)]
    return `    '${words.join(' ')}') words='${candidates.join(' ')}' ;;\n`
  })
  const commands = all.filter(({ words }) => words.length > 0).map(({ words }) => `'${words.join(' ')}'`).join('|')
  return `# completion of ${name} for bash: source <(${program.name()} completion bash)${PLUGIN_HINT(program)}
${called} () {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" at= word words= at_next= prefix=
  # bash splits --flag=value at the sign, zsh does not
  case "$current" in '=') current= ;; --*=*) prefix="\${current%%=*}="; current="\${current#*=}" ;; *)
    case "$previous" in '=') previous="\${COMP_WORDS[COMP_CWORD-2]}" ;; esac ;;
  esac
  case "$prefix" in ?*) previous="\${prefix%=}" ;; esac
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
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
  COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$current"))
}
complete -o default -F ${called} ${name}
`
}

/** The name of the executable: `complete` for `kubectl aim` would replace the completion of kubectl. */
function commandName (program: Command): string {
  return program.name().replace(' ', '-')
}

const PLUGIN_HINT = (program: Command): string => program.name() === commandName(program)
  ? ''
  : `\n# ${program.name()} is completed by kubectl's own completion, with kubectl_complete-aim on the PATH`

/** zsh runs the script for bash. */
export function zshCompletion (program: Command): string {
  return `#compdef ${commandName(program)}\nautoload -U +X bashcompinit && bashcompinit\n${bashCompletion(program)}`
}

export function fishCompletion (program: Command): string {
  const name = commandName(program)
  const lines = completions(program).flatMap(({ words, subcommands, flags, values }) => {
    const condition = words.length === 0
      ? '__fish_use_subcommand'
      : words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    const start = `complete -c ${name} -n '${condition}'`
    return [
      ...subcommands.map((subcommand) => `${start} -f -a ${subcommand.name()} -d '${quoted(summaryOf(subcommand))}'`),
      ...values.map((value) => `${start} -f -a ${value}`),
      ...flags.map(({ long, short, description, required, argChoices }) => [
        start,
        `-l ${long?.replace(/^--/, '')}`,
        ...(short === undefined ? [] : [`-s ${short.replace('-', '')}`]),
        ...(required ? ['-r'] : []),
        ...(argChoices === undefined ? [] : [`-f -a '${argChoices.join(' ')}'`]),
        `-d '${quoted(description)}'`
      ].join(' '))
    ]
  })
  return `# completion of ${name} for fish${PLUGIN_HINT(program)}\n${lines.join('\n')}\n`
}

/** Directives for the shell. Source: cobra, ShellCompDirective. */
const [FILES, NO_FILES] = [':0', ':4']

/**
 * What `kubectl_complete-aim` prints for the words of a command line, of which the last one is to be completed: a
 * candidate a line, and a directive. Source: kubectl, "Extend kubectl with plugins".
 */
export function kubectlCompletion (program: Command, args: readonly string[]): string {
  const current = args.at(-1) ?? ''
  const at = completionAt(completions(program), args.slice(0, -1))
  const [, given] = /^(--[^=]+)=/.exec(current) ?? []
  const before = given ?? args.at(-2)
  const flag = at.flags.find(({ long, short, required }) => required && (long === before || short === before))
  if (flag !== undefined) {
    const prefix = given === undefined ? '' : `${given}=`
    const choices = (flag.argChoices ?? []).map((choice) => `${prefix}${choice}`)
    return completed(choices, current, FILE.test(/<.*>/.exec(flag.flags)?.[0] ?? ''))
  }
  if (current.startsWith('-')) {
    return completed(at.flags.map(({ long, description }) => `${long}\t${description}`), current, false)
  }
  const commands = at.subcommands.map((subcommand) => `${subcommand.name()}\t${summaryOf(subcommand)}`)
  return completed([...commands, ...at.values], current, at.takesFile)
}

/** The completion of the command that the words end in. */
function completionAt (all: readonly Completion[], words: readonly string[]): Completion {
  const root: Completion = all[0] ?? { words: [], subcommands: [], flags: [], values: [], takesFile: false }
  return words.reduce((at, word) => {
    const next = [...at.words, word].join(' ')
    return all.find((one) => one.words.join(' ') === next) ?? at
  }, root)
}

function completed (candidates: readonly string[], current: string, takesFile: boolean): string {
  const matching = candidates.filter((candidate) => candidate.startsWith(current))
  return [...matching, takesFile && matching.length === 0 ? FILES : NO_FILES].join('\n') + '\n'
}

function quoted (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'')
}

function summaryOf (command: Command): string {
  return command.summary() || command.description()
}

/** What can follow a command. */
interface Completion {
  /** `manifests webhooks`; empty for the program. */
  readonly words: readonly string[]
  readonly subcommands: readonly Command[]
  readonly flags: readonly Option[]
  /** Values of the first argument. */
  readonly values: readonly string[]
  readonly takesFile: boolean
}

const FILE = /file|dir|folder/

function completions (command: Command, words: readonly string[] = []): Completion[] {
  const help = command.createHelp()
  const [argument] = command.registeredArguments
  return [
    {
      words,
      subcommands: help.visibleCommands(command),
      flags: help.visibleOptions(command),
      values: argument?.argChoices ?? [],
      takesFile: FILE.test(argument?.name() ?? '')
    },
    ...command.commands.flatMap((subcommand) => completions(subcommand, [...words, subcommand.name()]))
  ]
}
