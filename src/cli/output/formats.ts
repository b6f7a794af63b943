import { Document, stringify, visit, type ToStringOptions } from 'yaml'
import type { JsonObject } from '../../platform/json.ts'
import { escapeHidden, escapeJson, toCodeUnits } from '../../platform/printable.ts'

/** Each value as JSON on a line of its own. */
export function toJsonLines (values: readonly unknown[]): string {
  return values.map((value) => `${escapeJson(JSON.stringify(value))}\n`).join('')
}

/** YAML documents in the form of kubectl. Strings that YAML 1.1 reads as another type are quoted. */
export function toYaml (objects: readonly JsonObject[]): string {
  const options = { version: '1.1', indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false } as const
  return objects.map((object) => yamlText(object, options)).join('---\n')
}

type YamlOptions = NonNullable<ConstructorParameters<typeof Document>[2]> & ToStringOptions

/** One YAML document that hides nothing: a string with hidden characters is quoted, and these are escaped. */
export function yamlText (value: unknown, options: YamlOptions): string {
  const text = stringify(value, options)
  if (!hidesText(text)) return text
  const document = new Document(value, options)
  visit(document, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === 'string' && hidesText(scalar.value)) scalar.type = 'QUOTE_DOUBLE'
    }
  })
  return escapeHidden(document.toString(options), toYamlEscape, YAML_BLANKS)
}

const YAML_BLANKS = '\n\t'

function hidesText (text: string): boolean {
  return escapeHidden(text, undefined, YAML_BLANKS) !== text
}

/** YAML reads two escaped halves of a character as two characters. */
function toYamlEscape (character: string): string {
  return character.length === 1
    ? toCodeUnits(character)
    : `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`
}

/** A case of a report. It passes if it has no failure. */
export interface JunitCase {
  /** `AIMService` */
  readonly className: string
  /** `ml-team/llama-chat` */
  readonly name: string
  readonly file?: string
  readonly line?: number
  /** `summary` is one line, `text` the whole failure. */
  readonly failures: readonly { readonly type: string, readonly summary: string, readonly text: string }[]
  readonly output?: string
}

/** A JUnit report without times: equal results give equal reports. Source: manuals of Jenkins and GitLab. */
export function toJunit (suite: string, cases: readonly JunitCase[]): string {
  const failed = cases.filter(({ failures }) => failures.length > 0).length
  const counts = `tests="${cases.length}" failures="${failed}" errors="0" skipped="0"`
  return '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites name="aim-admission" ${counts}>\n  <testsuite name="${escaped(suite)}" ${counts}>\n` +
    `${cases.map(testcase).join('')}  </testsuite>\n</testsuites>\n`
}

function testcase ({ className, name, file, line, failures, output }: JunitCase): string {
  const place = (file === undefined ? '' : ` file="${escaped(file)}"`) + (line === undefined ? '' : ` line="${line}"`)
  const start = `    <testcase classname="${escaped(className)}" name="${escaped(name)}"${place}`
  if (failures.length === 0 && output === undefined) return `${start}/>\n`
  const failure = failures.map(({ type, summary, text }) =>
    `      <failure type="${escaped(type)}" message="${escaped(summary)}">${escaped(text)}</failure>\n`)
  const systemOut = output === undefined ? '' : `      <system-out>${escaped(output)}</system-out>\n`
  return `${start}>\n${failure.join('')}${systemOut}    </testcase>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** For content and attributes. Characters that XML 1.0 excludes become U+FFFD, other hidden ones references. */
function escaped (text: string): string {
  const xml = text.toWellFormed().replace(/[^\t\n\r\u{20}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
  return escapeHidden(xml, (character) => `&#${character.codePointAt(0) ?? 0};`)
}
