import type { Command } from 'commander'
import { newProgram } from '../../../src/cli/program.ts'
import { fakeTerminal } from '../fakes/fake-terminal.ts'

/** The program with every command loaded. */
export async function wholeProgram (name = 'aim-admission'): Promise<Command> {
  return await newProgram(
    { name, version: '1.2.3', description: 'what it does', terminal: fakeTerminal().terminal },
    () => true
  )
}
