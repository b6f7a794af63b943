import { fieldReference } from './field-reference.ts'
import { metricReference } from './metric-reference.ts'

/** docs/reference.md with the parts made anew that come from the program; what stands around them stays. */
export async function referencePage (page: string): Promise<string> {
  return replaced(replaced(page, 'fields', fieldReference()), 'metrics', await metricReference())
}

function replaced (page: string, part: string, content: string): string {
  const [start, end] = [`<!-- ${part}: made by npm run render -->\n`, `<!-- end of ${part} -->\n`]
  const [before, rest] = page.split(start)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/reference.md has no place for its ${part}`)
  return `${before}${start}\n${content}\n${end}${after}`
}
