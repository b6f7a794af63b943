import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { bashCompletion, fishCompletion, zshCompletion } from '../../../src/cli/commands/completion/command.ts'
import { wholeProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const program = await wholeProgram()
const plugin = await wholeProgram('kubectl aim')
const MAIN = path.resolve(import.meta.dirname, '../../../src/main.ts')
const dir = t.testdir({
  'with space.yaml': '',
  folder: { 'inner.yaml': '' },
  bin: {},
  'aim.bash': bashCompletion(program),
  'aim.zsh': zshCompletion(program),
  'aim.fish': fishCompletion(program),
  'plugin.bash': bashCompletion(plugin),
  'plugin.zsh': zshCompletion(plugin),
  'plugin.fish': fishCompletion(plugin)
})

/** How each shell starts without files of the user, and a command that shows its arguments. */
const SHELLS = {
  bash: {
    args: ['--noprofile', '--norc', '-i'],
    ready: (at: number) => `echo ready-$((${at}))`,
    setUp: 'bind "set enable-bracketed-paste off"; source ./aim.bash; ' +
      'aim-admission() { printf "[%s]" "$@"; echo " done"; }'
  },
  zsh: {
    args: ['-f', '-i'],
    ready: (at: number) => `echo ready-$((${at}))`,
    setUp: 'autoload -Uz compinit && compinit -u -D; source ./aim.zsh; ' +
      'aim-admission() { printf "[%s]" "$@"; echo " done"; }'
  },
  fish: {
    args: ['--no-config', '-i'],
    ready: (at: number) => `echo ready-(math ${at})`,
    setUp: 'function aim-admission; printf "[%s]" $argv; echo " done"; end; source ./aim.fish'
  }
} as const

const LINES: Readonly<Record<string, { readonly typed: string, readonly shown: string }>> = {
  'a command': { typed: 'aim-admission expl\t', shown: '[explain] done' },
  'the value of a flag': { typed: 'aim-admission review -o sar\t', shown: '[review][-o][sarif] done' },
  'the value after a sign': { typed: 'aim-admission review --output=sar\t', shown: '[review][--output=sarif] done' },
  'a file with a space in its name': {
    typed: 'aim-admission review -f with\t', shown: '[review][-f][with space.yaml] done'
  },
  'a folder, with a slash, and a file in it': {
    typed: 'aim-admission review -f fold\tinn\t', shown: '[review][-f][folder/inner.yaml] done'
  },
  'a folder as an argument': { typed: 'aim-admission test fold\t', shown: 'folder/' }
}

const run = promisify(execFile)
const isMissing = (file: string): boolean => spawnSync(file, ['--version']).error !== undefined
const noKubectl = isMissing('kubectl') && 'needs kubectl'

/** What the script of kubectl needs of the package bash-completion. */
const SHIM = `_init_completion () {
  words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
}
_filedir () { COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames; }`

for (const [shell, options] of Object.entries(SHELLS)) {
  const missing = [shell, 'script'].find(isMissing)
  for (const [name, { typed, shown }] of Object.entries(LINES)) {
    t.test(`${shell} completes ${name}`, { skip: missing !== undefined && `needs ${missing}` }, async (t) => {
      const screen = await type(shell, options, [options.setUp, typed])
      t.ok(screen.includes(shown), screen)
    })
  }
}

interface Shell { readonly args: readonly string[], readonly ready: (at: number) => string }

/** Types lines at a terminal, each once the shell has done what precedes it, and returns what the terminal shows. */
async function type (shell: string, { args, ready }: Shell, lines: readonly string[]): Promise<string> {
  const PATH = `${path.join(dir, 'bin')}:${process.env['PATH'] ?? ''}`
  const child = spawn('script', ['-qfec', [shell, ...args].join(' '), '/dev/null'], {
    cwd: dir, env: { ...process.env, TERM: 'dumb', HOME: dir, PATH }
  })
  let screen = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { screen += text })
  const gone = once(child, 'close')
  for (const [at, line] of lines.entries()) {
    child.stdin.write(`${line}\n${ready(at)}\n`)
    await until(() => screen.includes(`ready-${at}`))
  }
  child.stdin.end('exit\n')
  await gone
  return screen
}

t.test('the plugin leaves the completion of kubectl as it is', { skip: noKubectl }, async (t) => {
  const { stdout: kubectl } = await run('kubectl', ['completion', 'bash'])
  await writeFile(path.join(dir, 'kubectl.bash'), `${SHIM}\n${kubectl}`)
  const script = 'source ./kubectl.bash; complete -p kubectl; source ./plugin.bash; complete -p kubectl'
  const { stdout } = await run('bash', ['-c', script], { cwd: dir })
  const [before, after] = stdout.trim().split('\n')
  t.equal(after, before)
  t.match(zshCompletion(plugin), /^#compdef kubectl-aim$/m)
  t.notMatch(fishCompletion(plugin), /^complete -c kubectl /m)
})

t.test('kubectl completes the commands of the plugin by kubectl_complete-aim', { skip: noKubectl }, async (t) => {
  const PATH = `${path.join(dir, 'bin')}:${process.env['PATH'] ?? ''}`
  const complete = async (...words: string[]): Promise<string[]> =>
    (await run('kubectl', ['__complete', ...words], { env: { ...process.env, PATH } })).stdout.trimEnd().split('\n')
  const executables = {
    'the file of the package': async (file: string) => { await symlink(MAIN, file) },
    'the one that the program prints': async (file: string) => {
      await writeFile(file, (await run('node', [MAIN, 'completion', 'kubectl'])).stdout)
      await chmod(file, 0o755)
    }
  }
  await symlink(MAIN, path.join(dir, 'bin/kubectl-aim'))
  for (const [name, install] of Object.entries(executables)) {
    await rm(path.join(dir, 'bin/kubectl_complete-aim'), { force: true })
    await install(path.join(dir, 'bin/kubectl_complete-aim'))
    t.strictSame(await complete('aim', 'expl'), ['explain\texplain the settings of a service', ':4'], name)
    t.strictSame(await complete('aim', 'review', '-o', 'sa'), ['sarif', ':4'], name)
    t.strictSame(await complete('aim', 'review', '--output=sa'), ['--output=sarif', ':4'], name)
    t.strictSame(await complete('aim', 'review', '-f', ''), [':0'], `${name}: files`)
    t.strictSame(await complete('aim', 'explain', '-n', ''), [':4'], `${name}: no files`)
    t.strictSame(await complete('aim', 'manifests', 'w'), [
      'webhooks\twebhook configurations; for a Service without a caBundle, which the certificate issuer sets', ':4'
    ], name)
  }
})

t.test('the plugin is found in a real bash', { skip: noKubectl }, async (t) => {
  const screen = await type('bash', SHELLS.bash, [
    'bind "set enable-bracketed-paste off"; source ./kubectl.bash; source ./plugin.bash',
    'kubectl() { case "$1" in __complete) command kubectl "$@" ;; *) printf "[%s]" "$@"; echo " done" ;; esac; }',
    'kubectl aim expl\t', 'kubectl conf\t', 'kubectl aim review -f with\t'
  ])
  t.ok(screen.includes('[aim][explain] done'), screen)
  t.ok(screen.includes('[config] done'), screen)
  t.ok(screen.includes('[aim][review][-f][with space.yaml] done'), screen)
})
