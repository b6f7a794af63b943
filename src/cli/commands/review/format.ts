import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import type { Log, Result } from 'sarif'
import { GROUP } from '../../../api/meta.ts'
import { fullName, keyOf } from '../../../api/object-meta.ts'
import { FAULTS } from '../../../core/faults.ts'
import { diagnosticsOf, type Diagnostic, type ReviewedObject } from '../../../offline/review-objects.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import { isJsonObject, own, ownObject, ownString } from '../../../platform/json.ts'
import { counted, escapeHidden, escapeJson, oneLine } from '../../../platform/printable.ts'
import { toJsonLines, toJunit, toYaml, type JunitCase } from '../../output/formats.ts'
import { painter, type Paint } from '../../output/terminal.ts'
import { placeText } from '../../read-objects.ts'

export const FORMATTERS = {
  /** The admitted objects as they would be stored. */
  yaml: (reviewed) => toYaml(reviewed.filter(({ faults }) => faults.length === 0).map(({ object }) => object)),
  /** One line per object. */
  json: (reviewed) => toJsonLines(reviewed.map(recordOf)),
  /** The JSON Patch of each changed object. */
  patch: (reviewed) => reviewed.filter(({ patch }) => patch.length > 0)
    .map(({ given, patch }) => `# ${objectTitle(given)}\n${escapeJson(JSON.stringify(patch, null, 2))}\n`).join(''),
  /** From each changed object as written to the object as stored. */
  diff: (reviewed) => reviewed.filter(({ patch }) => patch.length > 0).map(difference).join(''),
  report: (reviewed, { colors }) => report(reviewed, painter(colors)),
  junit: (reviewed) => toJunit('review', reviewed.map(testcase)),
  sarif: (reviewed, { version }) => toSarif(reviewed.flatMap(diagnosticsOf), version),
  github: (reviewed) => toGithub(reviewed.flatMap(diagnosticsOf))
} as const satisfies Readonly<Record<string, (
  reviewed: readonly ReviewedObject[], context: { readonly colors: boolean, readonly version: string }
) => string>>

export type ReviewFormat = keyof typeof FORMATTERS

/** Formats that include refusals and warnings; with the others, these go to standard error. */
export const WITH_REMARKS: ReadonlySet<ReviewFormat> = new Set(['json', 'report', 'junit', 'sarif', 'github'])

/** The refusal and the warnings of an object, one per line. */
export function remarks (outcome: ReviewedObject): string {
  const title = objectTitle(outcome.given)
  const causes = errorsOf(outcome).map((error) => `  ${failureText(error)}\n`)
  return [
    ...outcome.warnings.map((warning) => `warning: ${title}: ${warning}\n`),
    ...(causes.length === 0 ? [] : [`refused: ${title}\n`, ...causes])
  ].join('')
}

function errorsOf (outcome: ReviewedObject): Diagnostic[] {
  return diagnosticsOf(outcome).filter(({ level }) => level === 'error')
}

function failureText ({ file, position, field, message }: Diagnostic): string {
  return `${placeText(file, position)}: ${field}: ${message}`
}

function recordOf ({ given, faults, warnings, patch, object }: ReviewedObject): object {
  const allowed = faults.length === 0
  const status = allowed ? { code: 200, message: '' } : { code: 422, message: refusal(given, faults) }
  return { kind: given.kind.kind, ...given.key, allowed, status, warnings, patch, object }
}

/** In the form of the API server. Source: k8s.io/apimachinery, api/errors, NewInvalid. */
function refusal ({ kind, key }: GivenObject, faults: ReviewedObject['faults']): string {
  const causes = faults.map(({ field, message }) => `${field}: ${message}`).join(', ')
  return `${kind.kind}.${GROUP} "${key.name}" is invalid: ${faults.length === 1 ? causes : `[${causes}]`}`
}

function difference ({ given, object }: ReviewedObject): string {
  const title = objectTitle(given)
  const [written, admitted] = [toYaml([given.written]), toYaml([object])]
  return createTwoFilesPatch(title, title, written, admitted, 'as written', 'as admitted', {
    headerOptions: FILE_HEADERS_ONLY
  })
}

function testcase (outcome: ReviewedObject): JunitCase {
  const { given: { kind, file, position }, warnings } = outcome
  return {
    className: kind.kind,
    name: objectTitle(outcome.given).slice(kind.kind.length + 1),
    file,
    line: position.line,
    failures: errorsOf(outcome).map((error) => ({
      type: error.code,
      summary: `${error.field}: ${error.message}`,
      text: failureText(error)
    })),
    ...(warnings.length > 0 && { output: warnings.map((warning) => `warning: ${warning}\n`).join('') })
  }
}

/** For people: each object with its verdict and its diagnostics, then a summary. */
function report (reviewed: readonly ReviewedObject[], paint: Paint): string {
  return `${reviewed.map((outcome) => section(outcome, paint)).join('')}\n${summary(reviewed, paint)}\n`
}

function section (outcome: ReviewedObject, paint: Paint): string {
  const { given, faults, warnings } = outcome
  const [mark, style, verdict] = faults.length > 0
    ? ['✗', 'red', 'refused'] as const
    : warnings.length > 0 ? ['!', 'yellow', 'admitted, with a warning'] as const : ['✓', 'green', 'admitted'] as const
  const place = paint('dim', placeText(given.file, given.position))
  const title = `${paint(style, mark)} ${paint('bold', objectTitle(given))} ${paint(style, verdict)} ${place}\n`
  const lines = diagnosticsOf(outcome).map(({ level, field, message, file, position, code }) => {
    const text = level === 'error'
      ? `${paint('bold', field)}: ${message} ${paint('dim', `(${code})`)}`
      : `${paint('yellow', 'warning:')} ${message}`
    return `    ${paint('cyan', placeText(file, position))} ${text}\n`
  })
  return [title, ...lines, ...(faults.length > 0 ? [] : injected(outcome, paint))].join('')
}

/** The configuration and the path of an admitted service. */
function injected ({ object }: ReviewedObject, paint: Paint): string[] {
  const block = own(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
  if (!isJsonObject(block)) return []
  const config = `${ownString(block, 'kind')} ${fullName(keyOf({ metadata: block }))}`
  const path = ownString(ownObject(block, 'routing'), 'path')
  return [paint('dim', `    settings of ${oneLine(config)}${path === '' ? '' : `, served at ${oneLine(path)}`}`) + '\n']
}

function summary (reviewed: readonly ReviewedObject[], paint: Paint): string {
  const refused = reviewed.filter(({ faults }) => faults.length > 0).length
  const warned = reviewed.filter(({ faults, warnings }) => faults.length === 0 && warnings.length > 0).length
  const counts = [
    ...(refused > 0 ? [paint('red', `${refused} refused`)] : []),
    ...(warned > 0 ? [paint('yellow', `${warned} admitted with a warning`)] : []),
    paint('green', `${reviewed.length - refused - warned} admitted`)
  ]
  return `${counted(reviewed.length, 'object')}: ${counts.join(', ')}`
}

/** For code scanning. Source: OASIS SARIF 2.1.0. */
export function toSarif (diagnostics: readonly Diagnostic[], version: string): string {
  const codes = [...new Set(diagnostics.map(({ code }) => code))].sort()
  const rules = codes.map((id) => ({ id, shortDescription: { text: SUMMARIES[id] ?? id } }))
  const log: Log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'aim-admission', semanticVersion: version, rules } },
      columnKind: 'utf16CodeUnits',
      results: diagnostics.map((diagnostic) => sarifResult(diagnostic, codes))
    }]
  }
  return `${escapeJson(JSON.stringify(log, null, 2))}\n`
}

const SUMMARIES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(FAULTS).map(([code, { summary }]) => [code, summary])),
  SCHEMA: 'The schema does not allow the object, so the API server refuses it.',
  WARNING: 'The object is admitted with a warning.'
}

function sarifResult (diagnostic: Diagnostic, codes: readonly string[]): Result {
  const { level, code, field, object, file, position } = diagnostic
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level,
    message: { text: `${object}: ${textOf(diagnostic)}` },
    locations: [{
      physicalLocation: {
        artifactLocation: { uri: uriOf(file) },
        region: { startLine: position.line, startColumn: position.column }
      },
      logicalLocations: [{ fullyQualifiedName: field === '' ? object : `${object}: ${field}`, kind: 'object' }]
    }]
  }
}

/** Relative paths stay relative, so that a report fits every checkout. */
function uriOf (file: string): string {
  if (path.isAbsolute(file)) return pathToFileURL(file).href
  return file.toWellFormed().split(path.sep).map(encodeURIComponent).join('/')
}

function textOf ({ level, field, message }: Diagnostic): string {
  return level === 'warning' || field === '' ? message : `${field}: ${message}`
}

/** Annotations of a pull request. Source: GitHub Actions, "Workflow commands". */
export function toGithub (diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => {
    const { level, file, position: { line, column }, code, object } = diagnostic
    const place = `file=${property(file)},line=${line},col=${column}`
    return `::${level} ${place},title=${property(`${object}: ${code}`)}::${data(textOf(diagnostic))}\n`
  }).join('')
}

function data (text: string): string {
  return escapeHidden(text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A'))
}

function property (text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
