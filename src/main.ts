#!/usr/bin/env node
import path from 'node:path'
import { text } from 'node:stream/consumers'
import packageJson from '../package.json' with { type: 'json' }
import { newProgram } from './cli/program.ts'
import type { ProgramDependencies } from './cli/program.ts'
import type { Terminal } from './cli/output/terminal.ts'
import { printTryOut } from './app/demo.ts'
import { errorMessage } from './platform/error-message.ts'

const terminal: Terminal = {
  stdin: async () => await text(process.stdin),
  write: (output) => { process.stdout.write(output) },
  writeError: (output) => { process.stderr.write(output) },
  setExitCode: (code) => { process.exitCode = code },
  colour: process.stdout.isTTY && process.stdout.hasColors(),
  watched: process.stderr.isTTY
}

const dependencies: ProgramDependencies = {
  // kubectl runs the binary of this name for `kubectl aim`
  name: path.basename(process.argv[1] ?? '').startsWith('kubectl-aim') ? 'kubectl aim' : 'aim-admission',
  version: packageJson.version,
  description: packageJson.description,
  terminal,
  onListening: (address) => {
    if (process.env['AIM_ADMISSION_TRY_OUT'] !== undefined) printTryOut(address, terminal.write)
  }
}

try {
  const given = process.argv.slice(2)
  const program = await newProgram(dependencies, (name) => given.includes(name))
  await program.parseAsync()
} catch (error) {
  terminal.writeError(`error: ${errorMessage(error)}
`)
  process.exit(2) // what was started before the error came is not waited for
}
