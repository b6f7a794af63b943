import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Log, ReportingDescriptor, Result } from 'sarif'
import { FAULTS } from '../../../core/rules/faults.ts'
import type { Diagnostic } from '../../../offline/diagnostics.ts'
import { escapeHidden, escapeJson } from '../../../platform/printable.ts'

/** For code scanning. Source: OASIS SARIF 2.1.0. */
export function toSarif (diagnostics: readonly Diagnostic[], version: string): string {
  const rules = [...new Set(diagnostics.map(({ code }) => code))].sort()
  const log: Log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'aim-admission', semanticVersion: version, rules: rules.map(ruleOf) } },
      columnKind: 'utf16CodeUnits',
      results: diagnostics.map((diagnostic) => resultOf(diagnostic, rules))
    }]
  }
  return `${escapeJson(JSON.stringify(log, null, 2))}\n`
}

const SUMMARIES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(FAULTS).map(([code, { summary }]) => [code, summary])),
  SCHEMA: 'The schema does not allow the object, so the API server refuses it.',
  WARNING: 'The object is admitted with a warning.'
}

function ruleOf (id: string): ReportingDescriptor {
  return { id, shortDescription: { text: SUMMARIES[id] ?? id } }
}

function resultOf (diagnostic: Diagnostic, rules: readonly string[]): Result {
  const { level, code, field, object, file, position } = diagnostic
  return {
    ruleId: code,
    ruleIndex: rules.indexOf(code),
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
