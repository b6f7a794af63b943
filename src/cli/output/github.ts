import type { Diagnostic } from '../../offline/diagnostics.ts'

/**
 * Workflow commands that GitHub shows beside the lines of a pull request. Source: GitHub Actions, "Workflow commands",
 * annotations.
 */
export function toGithub (findings: readonly Diagnostic[]): string {
  return findings.map(({ level, file, position: { line, column }, code, object, message, field }) => {
    const title = `${object}: ${code}`
    const text = level === 'warning' || field === '' ? message : `${field}: ${message}`
    return `::${level} file=${property(file)},line=${line},col=${column},title=${property(title)}::${data(text)}\n`
  }).join('')
}

function data (text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property (text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
