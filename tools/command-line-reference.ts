import packageJson from '../package.json' with { type: 'json' }
import { newProgram } from '../src/cli/program.ts'
import { commandLineReference } from '../src/cli/reference.ts'

// prints the part of docs/command-line.md that is made from the commands themselves
const terminal = {
  stdin: async () => '',
  write: () => undefined,
  writeError: () => undefined,
  setExitCode: () => undefined,
  colour: false,
  watched: false
}
const program = await newProgram(
  { name: 'aim-admission', version: packageJson.version, description: packageJson.description, terminal },
  () => true
)
process.stdout.write(commandLineReference(program))
