/** One case of a report: it passed where it has no failure. */
export interface JunitCase {
  /** What is tested, and which of it: `AIMService`, `ml-team/llama-chat`. */
  readonly className: string
  readonly name: string
  readonly file?: string
  readonly line?: number
  /** Each with its kind, one line that sums it up, and all there is to say. */
  readonly failures: readonly { readonly type: string, readonly summary: string, readonly text: string }[]
  /** What the case has said beside. */
  readonly output?: string
}

/**
 * A report as CI servers read it. Source: the JUnit XML of Ant and Surefire, as Jenkins and GitLab document it. Holds
 * no times, so that two runs are alike.
 */
export function toJunit (suite: string, cases: readonly JunitCase[]): string {
  const failed = cases.filter(({ failures }) => failures.length > 0).length
  const counts = `tests="${cases.length}" failures="${failed}" errors="0" skipped="0"`
  return '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites name="aim-admission" ${counts}>\n  <testsuite name="${escaped(suite)}" ${counts}>\n${cases.map(testcase).join('')}  </testsuite>\n</testsuites>\n`
}

function testcase ({ className, name, file, line, failures, output }: JunitCase): string {
  const place = (file === undefined ? '' : ` file="${escaped(file)}"`) + (line === undefined ? '' : ` line="${line}"`)
  const start = `    <testcase classname="${escaped(className)}" name="${escaped(name)}"${place}`
  if (failures.length === 0 && output === undefined) return `${start}/>\n`
  const failure = failures.map(
    ({ type, summary, text }) =>
      `      <failure type="${escaped(type)}" message="${escaped(summary)}">${escaped(text)}</failure>\n`
  )
  const said = output === undefined ? '' : `      <system-out>${escaped(output)}</system-out>\n`
  return `${start}>\n${failure.join('')}${said}    </testcase>\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;'
}

/** Text fit for content and attributes alike; what XML 1.0 cannot hold becomes U+FFFD. */
function escaped (text: string): string {
  return text.toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"\t\n\r]/g, (character) => ENTITIES[character] ?? character)
}
