import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import t from 'tap'
import { COMMANDS } from '../../../src/cli/program.ts'
import { bashCompletion, fishCompletion, zshCompletion } from '../../../src/cli/commands/completion/command.ts'
import { wholeProgram } from '../../support/programs/program.ts'

const program = await wholeProgram()
const named = (name: string): Command | undefined => program.commands.find((command) => command.name() === name)

t.test('the examples of every command can be parsed', async (t) => {
  for (const { name, examples } of COMMANDS) {
    for (const example of examples) {
      const [first = '', ...rest] =
        /(?:aim-admission|kubectl aim) ([^|>)]+)/.exec(example)?.[1]?.trim().split(' ') ?? []
      t.equal(first, name, example)
      t.same(unaccepted(named(first), rest), [], example)
    }
  }
})

/** The words that a command does not accept. Throws if a flag does not accept its value. */
function unaccepted (command: Command | undefined, words: readonly string[]): string[] {
  if (command === undefined) return [...words, 'no such command']
  const { operands, unknown } = command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parseOptions([...words])
  const subcommand = command.commands.find((one) => one.name() === operands[0])
  return subcommand === undefined
    ? [...unknown, ...operands.slice(command.registeredArguments.length)]
    : unaccepted(subcommand, [...operands.slice(1), ...unknown])
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

t.test('no environment variable sets flags of different names', async (t) => {
  const all = program.commands.flatMap((command) => [command, ...command.commands]).flatMap(({ options }) => options)
  const byVariable = Map.groupBy(all, ({ envVar = '' }) => envVar)
  t.ok(byVariable.size > 30)
  for (const [variable, options] of byVariable) t.equal(new Set(options.map(({ long }) => long)).size, 1, variable)
})

t.test('every command that reads objects has the flag of their API group', async (t) => {
  const all = program.commands.flatMap((command) => command.commands.length > 0 ? command.commands : [command])
  const without = all.filter(({ options }) => !options.some(({ long }) => long === '--api-group'))
  t.same(without.map((command) => command.name()), ['completion'])
})

t.test('all unknown flags are reported together', async (t) => {
  const line = ['serve', '--prot', '1', '-x', '--port=1', '--yes=2']
  const { stderr } = await promisify(execFile)('node', ['src/main.ts', ...line])
    .catch((error: unknown) => error as { stderr: string }) // it exits with 2
  const wanted = ["'--prot'", '(Did you mean --port?)', "'-x'", "'--yes=2'"]
  t.same(stderr.split('\n').slice(0, 4).map((each) => each.replace('error: unknown option ', '')), wanted)
})

t.test('a command line that cannot be used ends with exit code 2, as 1 is a verdict; help with 0', async (t) => {
  const exits = [
    { line: 'review --nope', want: 2 },
    { line: 'explain -o', want: 2 },
    { line: 'serve --nope', want: 2 },
    { line: 'manifests crds --nope', want: 2 },
    { line: 'nope', want: 2 },
    { line: 'review --help', want: 0 }
  ]
  for (const { line, want } of exits) {
    const child = execFile('node', ['src/main.ts', ...line.split(' ')])
    const [code] = await once(child, 'exit') as [number]
    t.equal(code, want, line)
  }
})

const BASH: Record<string, { readonly words: readonly string[], readonly want: readonly string[] }> = {
  'a command': { words: ['ex'], want: ['explain'] },
  'a subcommand': { words: ['manifests', 'w'], want: ['webhooks'] },
  'a flag': { words: ['review', '--rec'], want: ['--recursive'] },
  'a flag of a subcommand': { words: ['manifests', 'webhooks', '--ti'], want: ['--timeout-seconds'] },
  'the value of a flag': { words: ['review', '-o', 'sa'], want: ['sarif'] },
  'the value of an argument': { words: ['completion', 'f'], want: ['fish'] },
  'no word where a file is expected': { words: ['review', '-f', 'LICEN'], want: [''] }
}
for (const [name, { words, want }] of Object.entries(BASH)) {
  t.test(`bash completes ${name}`, async (t) => {
    const line = `COMP_WORDS=(aim-admission ${words.join(' ')}); ` +
      `COMP_CWORD=${words.length}; _aim_admission; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', `${bashCompletion(program)}${line}`])
    t.same(stdout.trim().split('\n'), want)
  })
}

t.test('zsh uses the script of bash, and fish has a line per command and flag', async (t) => {
  t.match(zshCompletion(program), /^#compdef aim-admission\nautoload -U \+X bashcompinit && bashcompinit\n/)
  const fish = fishCompletion(program)
  for (const { name } of COMMANDS) t.match(fish, ` -a ${name} -d '`)
  t.match(
    fish,
    "complete -c aim-admission -n '__fish_seen_subcommand_from review' -l output -s o -r " +
      "-f -a 'yaml json patch diff report junit sarif github' -d '"
  )
})
