import { oneLine } from '../../../platform/printable.ts'
import { toJsonLines } from '../../output/formats.ts'

/** In the order of the output. */
export const CHECKS = [
  'version', 'definitions', 'registration', 'certificate', 'access', 'policy', 'other-webhooks', 'leftovers'
] as const

interface Checked {
  readonly check: typeof CHECKS[number]
  /** The object or the address. */
  readonly subject: string
  readonly what: string
}

/**
 * `note`: information, no problem. `unknown`: could not be checked. `fix` is one command for a shell; a problem has
 * none if only the installation of an operator can fix it.
 */
export type CheckResult =
  | Checked & { readonly kind: 'ok' | 'unknown' }
  | Checked & { readonly kind: 'note' | 'problem', readonly fix?: string }

export type DoctorFormat = keyof typeof FORMATTERS

export const FORMATTERS = {
  text: (results: readonly CheckResult[]) => results.map(toText).join('') + summary(results),
  json: (results: readonly CheckResult[]) => toJsonLines(results)
}

const LABELS = { ok: 'ok     ', note: 'note   ', unknown: 'unknown', problem: 'PROBLEM' } as const

function toText (result: CheckResult): string {
  const line = `${LABELS[result.kind]}  ${result.check}: ${oneLine(result.subject)}: ${oneLine(result.what)}\n`
  return 'fix' in result ? `${line}         fix: ${oneLine(result.fix)}\n` : line
}

function summary (results: readonly CheckResult[]): string {
  const count = (kind: CheckResult['kind']): number => results.filter((result) => result.kind === kind).length
  return `${results.length} checked: ` +
    `${count('ok')} ok, ${count('problem')} problems, ${count('unknown')} unknown, ${count('note')} notes\n`
}

/** A word of a shell command, quoted if necessary. */
export function shellWord (text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', '\'\\\'\'')}'`
}
