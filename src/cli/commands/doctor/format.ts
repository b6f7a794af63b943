import { counted, oneLine } from '../../../platform/printable.ts'
import { toJsonLines } from '../../output/formats.ts'

/** In the order of the output. */
export const CHECKS = [
  'version', 'definitions', 'registration', 'certificate', 'access', 'policy', 'other-webhooks', 'leftovers'
] as const

export interface CheckResult {
  readonly check: typeof CHECKS[number]
  /** A `note` is no problem, and `unknown` could not be checked. */
  readonly kind: 'ok' | 'unknown' | 'note' | 'problem'
  /** The object or the address. */
  readonly subject: string
  readonly what: string
  /** The parts of `what`. */
  readonly details?: readonly string[] | undefined
  /** One command for a shell, which leaves a working cluster working; undefined if no command can fix it. */
  readonly fix?: string | undefined
}

export type DoctorFormat = keyof typeof FORMATTERS

export const FORMATTERS = {
  text: (results: readonly CheckResult[]) => toText(results),
  json: (results: readonly CheckResult[]) => toJsonLines(results.map((result) => ({ ...result, details: undefined })))
}

const RIGHTS = 'the rights are not those of this version'

/** What problems of a check come from. */
const CAUSES: Readonly<Record<CheckResult['check'], string>> = {
  version: 'the API server is too old',
  definitions: 'the definitions are not those of this version',
  registration: 'the webhooks are not registered as by these flags',
  certificate: 'the API server cannot trust the certificate for long',
  access: RIGHTS,
  policy: RIGHTS,
  'other-webhooks': 'other webhooks are called',
  leftovers: 'an earlier version left objects'
}

const MAX_COLUMNS = 100

/** A summary, the problems by their cause, each with the commands that fix it, and the rest by its kind. */
function toText (results: readonly CheckResult[]): string {
  const found = Object.groupBy(results, ({ kind }) => kind)
  const { problem: problems = [], unknown = [], note: notes = [], ok = [] } = found
  const causes = [...Map.groupBy(problems, ({ check }) => `PROBLEM: ${CAUSES[check]}`)]
  const others = Object.entries({
    'UNKNOWN: could not be checked': unknown, 'NOTE: no problem, but worth knowing': notes, OK: ok
  }).filter(([, listed]) => listed.length > 0)
  const total = problems.length === 0
    ? 'no problems'
    : `${counted(problems.length, 'problem')}, ${counted(causes.length, 'cause')}`
  const rest = `${ok.length} ok, ${unknown.length} unknown, ${counted(notes.length, 'note')}`
  const sections = [...causes, ...others].map(([title, listed]) => `\n${section(title, listed)}`)
  return `${total} (${results.length} checked: ${rest})\n${sections.join('')}`
}

function section (title: string, results: readonly CheckResult[]): string {
  const commands = new Set(results.flatMap(({ fix }) => fix ?? []))
  const lines = results.flatMap(({ kind, check, subject, what, details = [what] }) => kind === 'ok'
    ? indented(`${check}: ${subject}: ${what}`, 2)
    : [...indented(`${check}: ${subject}`, 2), ...details.flatMap((text) => indented(text, 4))])
  const fixes = [...commands].map((command) => `  run:\n${commandLines(oneLine(command))}\n`)
  return [title, ...lines].join('\n') + '\n' + fixes.join('')
}

/** The lines of a text, broken between words, and within words that are longer than a line. */
function indented (text: string, indent: number): string[] {
  const width = MAX_COLUMNS - indent
  const lines = oneLine(text).match(new RegExp(`.{1,${width}}(?: |$)|.{${width}}`, 'g')) ?? ['']
  return lines.map((line) => ' '.repeat(indent) + line.trimEnd())
}

/**
 * A command over several lines, which a shell joins again. Lines end with a backslash between words. Within a long
 * quoted word, the quotation ends before it and starts again on the next line, without an indent.
 */
function commandLines (command: string): string {
  const lines: string[] = []
  let line = '   '
  for (const word of command.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? []) {
    if (line.trim() !== '' && line.length + word.length > MAX_COLUMNS - 3) {
      lines.push(`${line} \\`)
      line = '     '
    }
    line += ` ${word}`
    for (let cut = cutOf(line); cut > 0; cut = cutOf(line)) {
      lines.push(`${line.slice(0, cut)}'\\`)
      line = `'${line.slice(cut)}`
    }
  }
  return [...lines, line].join('\n')
}

/** Where to cut a line that is too long, inside a quoted word, if possible behind a comma; 0: nowhere. */
function cutOf (line: string): number {
  if (line.length <= MAX_COLUMNS) return 0
  const start = line.slice(0, MAX_COLUMNS - 2)
  const open = /^(?:'[^']*'|\\.|[^'\\])*'(?=[^']*$)/.exec(start)?.[0].length ?? 0
  if (open === 0 || open > start.length - 1) return 0
  const comma = start.lastIndexOf(',') + 1
  return comma > Math.max(open, MAX_COLUMNS / 2) ? comma : start.replace(/[\uD800-\uDBFF]$/, '').length
}

/** A word of a shell command, quoted if necessary. */
export function shellWord (text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', '\'\\\'\'')}'`
}
