#!/usr/bin/env node
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { newAdmission } from './cli/admission.ts'
import { manifestsCommand } from './cli/manifests.ts'
import { reconcileCommand } from './cli/reconcile.ts'
import { reviewCommand } from './cli/review.ts'
import { serveCommand } from './cli/serve.ts'
import { printTryOut } from './cli/try-out.ts'
import { reasonOf } from './core/reason-of.ts'

const admission = () => newAdmission({ missingConfig: 'warn', missingBlock: 'refuse' })
const write = (output: string) => { process.stdout.write(output) }

const program = new Command('aim-admission')
  .description(packageJson.description)
  .version(packageJson.version)
  .addCommand(serveCommand({ version: packageJson.version, onListening: (address) => { if (process.env['AIM_ADMISSION_TRY_OUT'] !== undefined) printTryOut(address, write) } }))
  .addCommand(reconcileCommand({ version: packageJson.version }))
  .addCommand(manifestsCommand({ webhooks: admission().webhooks, write }))
  .addCommand(reviewCommand({
    admission,
    stdin: async () => await text(process.stdin),
    write,
    writeError: (output) => { process.stderr.write(output) },
    setExitCode: (code) => { process.exitCode = code }
  }))

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`error: ${reasonOf(error)}\n`)
  process.exitCode = 2
}
