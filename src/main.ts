#!/usr/bin/env node
import './cli/before-start.ts'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import packageJson from '../package.json' with { type: 'json' }
import { exitAtClosedOutput, newTerminal, reportUnusable } from './cli/output/terminal.ts'
import { newProgram, type ProgramDependencies } from './cli/program.ts'
import { errorMessage } from './platform/error-message.ts'
import { decodeText } from './platform/printable.ts'

const terminal = newTerminal({
  stdin: async () => decodeText(await buffer(process.stdin)),
  write: (output) => { process.stdout.write(output) },
  writeError: (output) => { process.stderr.write(output) },
  setExitCode: (code) => { process.exitCode = code },
  colors: process.stdout.isTTY && process.stdout.hasColors(),
  showsProgress: process.stderr.isTTY,
  screen: process.stdout.isTTY ? () => ({ columns: process.stdout.columns, rows: process.stdout.rows }) : undefined
})

exitAtClosedOutput((error) => {
  reportUnusable([`cannot write the output: ${errorMessage(error)}`], terminal)
})

const called = path.basename(process.argv[1] ?? '')
const completes = called.startsWith('kubectl_complete-aim') || process.env['AIM_ADMISSION_COMPLETE'] === 'kubectl'

const dependencies: ProgramDependencies = {
  // the plugin of `kubectl aim`, and its completion
  name: /^kubectl[-_]/.test(called) ? 'kubectl aim' : 'aim-admission',
  version: packageJson.version,
  description: packageJson.description,
  terminal
}

try {
  const args = process.argv.slice(2)
  const program = await newProgram(dependencies, (name) => args.includes(name))
  if (completes) {
    terminal.write((await import('./cli/commands/completion/command.ts')).kubectlCompletion(program, args))
  } else await program.parseAsync()
} catch (error) {
  reportUnusable([errorMessage(error)], terminal)
  process.exit(2) // a server that has started in part is not awaited
}
