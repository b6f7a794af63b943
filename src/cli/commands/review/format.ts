import { FILE_HEADERS_ONLY, createTwoFilesPatch } from 'diff'
import { GROUP } from '../../../api/meta.ts'
import { objectTitle, type GivenObject } from '../../../offline/local-object.ts'
import { diagnosticsOf, type Diagnostic, type ReviewedObject } from '../../../offline/diagnostics.ts'
import { toGithub } from '../../output/github.ts'
import { toJunit, type JunitCase } from '../../output/junit.ts'
import { placeText } from '../../read-input.ts'
import { toReport } from '../../output/report.ts'
import type { ReviewFormat } from './command.ts'
import { toSarif } from '../../output/sarif.ts'
import { toYaml } from '../../output/yaml.ts'

export interface FormatContext { readonly colour: boolean, readonly version: string }

type Formatter = (reviewed: readonly ReviewedObject[], context: FormatContext) => string

export const FORMATTERS: Readonly<Record<ReviewFormat, Formatter>> = {
  /** The admitted objects as they would be stored. */
  yaml: (reviewed) => toYaml(reviewed.filter(({ faults }) => faults.length === 0).map(({ object }) => object)),
  /** A line for every object. */
  json: (reviewed) => reviewed.map((outcome) => `${JSON.stringify(record(outcome))}\n`).join(''),
  /** The JSON Patch of each object that is changed, under its name. */
  patch: (reviewed) => reviewed.filter(({ patch }) => patch.length > 0)
    .map(({ given, patch }) => `# ${objectTitle(given)}\n${JSON.stringify(patch, null, 2)}\n`).join(''),
  /** What each object as stored has, and as written has not. */
  diff: (reviewed) => reviewed.filter(({ patch }) => patch.length > 0).map(difference).join(''),
  report: toReport,
  junit: (reviewed) => toJunit('review', reviewed.map(testcase)),
  sarif: (reviewed, { version }) => toSarif(reviewed.flatMap(diagnosticsOf), version),
  github: (reviewed) => toGithub(reviewed.flatMap(diagnosticsOf))
}

/** Those that tell of refusals and warnings themselves; beside the others they are printed on standard error. */
export const TELLING: ReadonlySet<ReviewFormat> = new Set(['json', 'report', 'junit', 'sarif', 'github'])

/** What people should know of an object beside its new form. */
export function remarks (outcome: ReviewedObject): string {
  const findings = diagnosticsOf(outcome)
  const title = objectTitle(outcome.given)
  const causes = findings
    .filter(({ level }) => level === 'error')
    .map(({ file, position, field, message }) => `  ${placeText(file, position)}: ${field}: ${message}\n`)
  return [
    ...outcome.warnings.map((warning) => `warning: ${title}: ${warning}\n`),
    ...(causes.length === 0 ? [] : [`refused: ${title}\n`, ...causes])
  ].join('')
}

function record ({ given, faults, warnings, patch, object }: ReviewedObject): object {
  const allowed = faults.length === 0
  const status = allowed ? { code: 200, message: '' } : { code: 422, message: refusal(given, faults) }
  return { kind: given.kind.kind, ...given.key, allowed, status, warnings, patch, object }
}

/** As the API server writes it. Source: k8s.io/apimachinery, api/errors, NewInvalid. */
function refusal ({ kind, key }: GivenObject, faults: ReviewedObject['faults']): string {
  const causes = faults.map(({ field, message }) => `${field}: ${message}`)
  return `${kind.kind}.${GROUP} "${key.name}" is invalid: ${causes.length === 1 ? causes.join() : `[${causes.join(', ')}]`}`
}

function difference ({ given, object }: ReviewedObject): string {
  const title = objectTitle(given)
  return createTwoFilesPatch(title, title, toYaml([given.written]), toYaml([object]), 'as written', 'as admitted', {
    headerOptions: FILE_HEADERS_ONLY
  })
}

function testcase (outcome: ReviewedObject): JunitCase {
  const { given, warnings } = outcome
  return {
    className: given.kind.kind,
    name: objectTitle(given).slice(given.kind.kind.length + 1),
    file: given.file,
    line: given.position.line,
    failures: diagnosticsOf(outcome).filter(({ level }) => level === 'error').map(failureOf),
    ...(warnings.length > 0 && { output: warnings.map((warning) => `warning: ${warning}\n`).join('') })
  }
}

function failureOf ({ code, field, message, file, position }: Diagnostic): JunitCase['failures'][number] {
  return { type: code, summary: `${field}: ${message}`, text: `${placeText(file, position)}: ${field}: ${message}` }
}
