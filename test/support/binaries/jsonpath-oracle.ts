import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** The values that client-go selects, in order; null with an error if it refuses. */
export interface Answer { readonly values: readonly unknown[] | null, readonly error?: string }

/** Sends all questions to client-go, as kubectl uses it. `binary` is a built oracle of tools/go/kubernetes. */
export async function askOracle<A = Answer> (binary: string, questions: readonly unknown[]): Promise<A[]> {
  const oracle = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(oracle, 'exit')
  oracle.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(''))
  // the oracle's own protocol
  const answers = (await text(oracle.stdout)).trimEnd().split('\n').map((line) => JSON.parse(line) as A)
  const [code] = await exit as [number | null] // node:child_process, event 'exit'
  if (code !== 0 || answers.length !== questions.length) {
    throw new Error(
      `the oracle answered ${answers.length} of ${questions.length} questions and exited with ${String(code)}`
    )
  }
  return answers
}
