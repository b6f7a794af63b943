import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Log, ReportingDescriptor, Result } from 'sarif'
import { FAULTS } from '../../core/rules/faults.ts'
import type { Diagnostic } from '../../offline/diagnostics.ts'

/** A report as code scanning reads it. Source: OASIS SARIF 2.1.0. */
export function toSarif (findings: readonly Diagnostic[], version: string): string {
  const rules = [...new Set(findings.map(({ code }) => code))].sort()
  const log: Log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'aim-admission', semanticVersion: version, rules: rules.map(ruleOf) } },
      columnKind: 'utf16CodeUnits',
      results: findings.map((finding) => resultOf(finding, rules))
    }]
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

const SUMMARIES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(FAULTS).map(([code, { summary }]) => [code, summary])),
  SCHEMA: 'The API server refuses the object, since its schema does not allow it.',
  WARNING: 'The object is admitted with a warning.'
}

function ruleOf (id: string): ReportingDescriptor {
  return { id, shortDescription: { text: SUMMARIES[id] ?? id } }
}

function resultOf ({ level, code, field, message, object, file, position }: Diagnostic, rules: readonly string[]): Result {
  return {
    ruleId: code,
    ruleIndex: rules.indexOf(code),
    level,
    message: { text: `${object}: ${level === 'warning' || field === '' ? message : `${field}: ${message}`}` },
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
  return path.isAbsolute(file) ? pathToFileURL(file).href : file.split(path.sep).map(encodeURIComponent).join('/')
}
