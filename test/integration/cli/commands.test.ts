import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import t from 'tap'
import { COMMANDS } from '../../../src/cli/program.ts'
import { bashCompletion, fishCompletion, zshCompletion } from '../../../src/cli/commands/completion/scripts.ts'
import { EXAMPLES } from '../../../src/cli/commands/examples/command.ts'
import { wholeProgram } from '../../support/programs/whole-program.ts'

const program = await wholeProgram()
const named = (name: string): Command | undefined => program.commands.find((command) => command.name() === name)

t.test('every command has two examples in its help, and each of them can be read', async (t) => {
  for (const { name } of COMMANDS) {
    const examples = EXAMPLES[name] ?? []
    t.ok(examples.length >= 2, name)
    for (const example of examples) {
      const [first = '', ...rest] =
        /(?:aim-admission|kubectl aim) ([^|>)]+)/.exec(example)?.[1]?.trim().split(' ') ?? []
      t.equal(first, name, example)
      t.same(unread(named(first), rest), [], example)
    }
  }
})

/** What of the words a command cannot read; throws where a value is none of those that a flag may have. */
function unread (command: Command | undefined, words: readonly string[]): string[] {
  if (command === undefined) return [...words, 'no such command']
  const { operands, unknown } = command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parseOptions([...words])
  const subcommand = command.commands.find((one) => one.name() === operands[0])
  return subcommand === undefined
    ? [...unknown, ...operands.slice(command.registeredArguments.length)]
    : unread(subcommand, [...operands.slice(1), ...unknown])
}

t.test('every flag has an environment variable', async (t) => {
  const all = program.commands.flatMap((command) => [command, ...command.commands])
  t.same(
    all.flatMap((command) =>
      command.options.filter(({ envVar }) => envVar === undefined).map(({ long }) => `${command.name()} ${long ?? ''}`)
    ),
    []
  )
})

const BASH: Record<string, { readonly words: readonly string[], readonly want: readonly string[] }> = {
  'a command': { words: ['ex'], want: ['explain'] },
  'a subcommand': { words: ['manifests', 'w'], want: ['webhooks'] },
  'a flag': { words: ['review', '--rec'], want: ['--recursive'] },
  'a flag of a subcommand': { words: ['manifests', 'webhooks', '--ti'], want: ['--timeout-seconds'] },
  'the value of a flag': { words: ['review', '-o', 'sa'], want: ['sarif'] },
  'the value of an argument': { words: ['completion', 'f'], want: ['fish'] },
  'a file': { words: ['review', '-f', 'LICEN'], want: ['LICENSE'] }
}
for (const [name, { words, want }] of Object.entries(BASH)) {
  t.test(`bash completes ${name}`, async (t) => {
    const line = `COMP_WORDS=(aim-admission ${words.join(' ')}); COMP_CWORD=${words.length}; _aim_admission; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', `${bashCompletion(program)}${line}`])
    t.same(stdout.trim().split('\n'), want)
  })
}

t.test('zsh takes the script of bash, and fish has a line for each command and flag', async (t) => {
  t.match(zshCompletion(program), /^#compdef aim-admission\nautoload -U \+X bashcompinit && bashcompinit\n/)
  const fish = fishCompletion(program)
  for (const { name } of COMMANDS) t.match(fish, ` -a ${name} -d '`)
  t.match(
    fish,
    "complete -c aim-admission -n '__fish_seen_subcommand_from review' -l output -s o -r -f -a 'yaml json patch diff report junit sarif github' -d '"
  )
})
