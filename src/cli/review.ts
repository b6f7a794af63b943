import { Command, Option } from 'commander'
import { FILE_HEADERS_ONLY, createTwoFilesPatch } from 'diff'
import { GROUP } from '../api/meta.ts'
import { objectTitle } from '../local/local-object.ts'
import { readInput } from './read-input.ts'
import type { GivenObject } from './read-input.ts'
import { reviewObjects } from './review-objects.ts'
import type { Admission, Reviewed } from './review-objects.ts'
import { toYaml } from './yaml-output.ts'

export interface ReviewDependencies {
  /** Makes an admission that knows of no object yet. */
  readonly admission: () => Admission
  /** All of the standard input. */
  readonly stdin: () => Promise<string>
  readonly write: (text: string) => void
  readonly writeError: (text: string) => void
  readonly setExitCode: (code: ExitCode) => void
}

/** All admitted, one refused, input unusable. */
export type ExitCode = 0 | 1 | 2

/** `aim-admission review -f FILE…`: admits the objects of files offline, by the webhooks themselves. */
export function reviewCommand (dependencies: ReviewDependencies): Command {
  return new Command('review')
    .description('admit the objects in files offline, against the configurations in the files; exit 1 when one is refused, 2 on unusable input')
    .requiredOption('-f, --filename <file...>', 'files or folders of YAML or JSON, - for the standard input; objects of other kinds are passed over')
    .addOption(new Option('-o, --output <format>', 'what is printed of each object').choices(Object.keys(FORMATS)).default('yaml'))
    .action(async ({ filename, output }: { filename: string[], output: Format }) => {
      dependencies.setExitCode(await review(filename, output, dependencies))
    })
}

async function review (paths: readonly string[], format: Format, { admission, stdin, write, writeError }: ReviewDependencies): Promise<ExitCode> {
  const { objects, problems } = await readInput(paths, stdin)
  if (problems.length > 0) {
    writeError(problems.map((problem) => `error: ${problem}\n`).join(''))
    return 2
  }
  const reviewed = reviewObjects(objects, admission())
  write(FORMATS[format](reviewed))
  if (format !== 'json') writeError(reviewed.map(remarks).join(''))
  return reviewed.some(({ faults }) => faults.length > 0) ? 1 : 0
}

type Outcome = Reviewed<GivenObject>
type Format = keyof typeof FORMATS

const FORMATS = {
  /** The admitted objects as they would be stored. */
  yaml: (reviewed: readonly Outcome[]) => toYaml(reviewed.filter(({ faults }) => faults.length === 0).map(({ object }) => object)),
  /** A line for every object. */
  json: (reviewed: readonly Outcome[]) => reviewed.map((outcome) => `${JSON.stringify(record(outcome))}\n`).join(''),
  /** The JSON Patch of each object that is changed, under its name. */
  patch: (reviewed: readonly Outcome[]) => reviewed.filter(({ patch }) => patch.length > 0)
    .map(({ given, patch }) => `# ${objectTitle(given)}\n${JSON.stringify(patch, null, 2)}\n`).join(''),
  /** What each object as stored has, and as written has not. */
  diff: (reviewed: readonly Outcome[]) => reviewed.filter(({ patch }) => patch.length > 0).map(difference).join('')
}

function record ({ given, faults, warnings, patch, object }: Outcome): object {
  const allowed = faults.length === 0
  const status = allowed ? { code: 200, message: '' } : { code: 422, message: refusal(given, faults) }
  return { kind: given.kind.kind, ...given.key, allowed, status, warnings, patch, object }
}

/** As the API server writes it. Source: k8s.io/apimachinery, api/errors, NewInvalid. */
function refusal ({ kind, key }: GivenObject, faults: Outcome['faults']): string {
  const causes = faults.map(({ field, message }) => `${field}: ${message}`)
  return `${kind.kind}.${GROUP} "${key.name}" is invalid: ${causes.length === 1 ? causes.join() : `[${causes.join(', ')}]`}`
}

function difference ({ given, object }: Outcome): string {
  const title = objectTitle(given)
  return createTwoFilesPatch(title, title, toYaml([given.written]), toYaml([object]), 'as written', 'as admitted', { headerOptions: FILE_HEADERS_ONLY })
}

/** What people should know of an object beside its new form. */
function remarks ({ given, faults, warnings }: Outcome): string {
  const causes = faults.map(({ field, message }) => `  ${field}: ${message}\n`)
  return [
    ...warnings.map((warning) => `warning: ${objectTitle(given)}: ${warning}\n`),
    ...(causes.length === 0 ? [] : [`refused: ${objectTitle(given)} at ${given.source}\n`, ...causes])
  ].join('')
}
