import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { isMap, isSeq, parseDocument } from 'yaml'
import { objectTitle } from '../../../offline/local-object.ts'
import { readManifestFolder } from '../../../offline/manifest-files.ts'
import { reviewObjects, type ReviewedObject } from '../../../offline/review-objects.ts'
import { errorMessage, isMissingFile } from '../../../platform/error-message.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../../platform/json.ts'
import { yamlText } from '../../output/formats.ts'
import { loadWorld, newOfflineEngine, readInput, type EngineFlags, type Input } from '../../read-objects.ts'

const EXPECTED = 'expected.yaml'

/** A folder of manifests with its expected and actual results, as texts of one form. */
export interface TestCase {
  /** Path below the tested folder; `.` for that folder itself. */
  readonly name: string
  /** Path of its expected.yaml. */
  readonly file: string
  /** Undefined if that file does not exist. */
  readonly expected: string | undefined
  /** The results, limited to what is expected. */
  readonly actual: string
  /** The complete results. */
  readonly full: string
  /** Why the case cannot run, one line each. */
  readonly problems: readonly string[]
}

/** Runs every case below a folder, by name; hidden folders have none. Rejects if the folder is unreadable. */
export async function runCases (dir: string, options: EngineFlags): Promise<TestCase[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => path.join(parentPath, name))
    .filter((folder) => !/(^|\/)\./.test(path.relative(dir, folder)))
  const cases = await Promise.all([dir, ...folders.sort()].map((folder) => runCase(dir, folder, options)))
  return cases.filter((one) => one !== undefined)
}

/** Undefined if the folder has no manifest. */
async function runCase (dir: string, folder: string, options: EngineFlags): Promise<TestCase | undefined> {
  const files = (await readManifestFolder(folder)).map((file) => path.basename(file.path))
    .filter((name) => name !== EXPECTED)
  if (files.length === 0) return undefined
  const [known, old, given] = await Promise.all([
    input(folder, files.filter((name) => name.startsWith('known'))),
    input(folder, files.filter((name) => name.startsWith('old'))),
    input(folder, files.filter((name) => !name.startsWith('known') && !name.startsWith('old')))
  ])
  const file = path.join(folder, EXPECTED)
  const text = await textOf(file)
  const { entries, problem } = readExpected(text ?? '[]')
  const expected = text === undefined ? undefined : toText(entries.map(inOrder))
  const about = { name: path.relative(dir, folder) || '.', file, expected }
  const problems = [known, old, given].flatMap((one) => one.problems)
  if (problem !== undefined) problems.push(`${file}: ${problem}`)
  if (problems.length > 0) return { ...about, actual: '', full: '', problems }
  const engine = newOfflineEngine(options)
  const stored = loadWorld({ objects: known.objects, stored: old.objects }, engine, given.objects)
  const results = reviewObjects(given.objects, engine, { stored }).map(resultOf)
  return { ...about, actual: toText(comparable(results, entries)), full: toText(results), problems }
}

async function input (folder: string, names: readonly string[]): Promise<Input> {
  return await readInput(names.map((name) => path.join(folder, name)), { stdin: async () => '' })
}

async function textOf (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isMissingFile(error)) return undefined
    throw error
  }
}

/** An entry of expected.yaml. Includes empty warnings and patches, so that later ones differ. */
function resultOf ({ given, faults, warnings, patch, object }: ReviewedObject): JsonObject {
  const block = ownObject(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
  const path = ownString(ownObject(block, 'routing'), 'path')
  return {
    object: objectTitle(given),
    allowed: faults.length === 0,
    ...(faults.length > 0 && { refusals: faults.map(({ code, field, message }) => ({ code, field, message })) }),
    warnings,
    ...(path !== '' && { path }),
    ...(faults.length === 0 && { patch })
  }
}

/** Fields of an entry of expected.yaml besides `object`. Fields that are left out are not compared. */
const FIELDS = ['allowed', 'refusals', 'warnings', 'path', 'patch'] as const

interface Expectations { readonly entries: readonly JsonObject[], readonly problem?: string }

function readExpected (text: string): Expectations {
  try {
    const document = parseDocument(text)
    const [error] = document.errors
    if (error !== undefined) return { entries: [], problem: error.message.split('\n', 1)[0] ?? '' }
    const entries: unknown = isSeq(document.contents) && document.contents.items.every(isMap) && document.toJS()
    return Array.isArray(entries)
      ? { entries: entries.filter(isJsonObject) }
      : { entries: [], problem: 'not a list of expected results' }
  } catch (error) {
    return { entries: [], problem: errorMessage(error) }
  }
}

/** The results in the order and with the fields of the expectations. Of the others, only refusals remain. */
function comparable (results: readonly JsonObject[], expected: readonly JsonObject[]): JsonObject[] {
  const byTitle = new Map(results.map((result) => [result['object'], result]))
  const expectedTitles = new Set(expected.map((entry) => entry['object']))
  const compared = expected.flatMap((entry) => {
    const result = byTitle.get(entry['object'])
    return result === undefined ? [] : [withFieldsOf(entry, result)]
  })
  const unexpected = results.filter((result) => !expectedTitles.has(result['object']) && result['allowed'] === false)
  return [...compared, ...unexpected]
}

/** A field without a result equals an empty expectation. */
function withFieldsOf (entry: JsonObject, result: JsonObject): JsonObject {
  const fields = FIELDS.filter((field) => Object.hasOwn(entry, field))
  const values = fields.map((field): [string, unknown] =>
    [field, own(result, field) ?? (Array.isArray(entry[field]) ? [] : '')])
  return { object: result['object'], ...Object.fromEntries(values) }
}

/** An expectation with its fields in the order of results. */
function inOrder (entry: JsonObject): JsonObject {
  const known = ['object', ...FIELDS].filter((field) => Object.hasOwn(entry, field))
  const fields = [...known, ...Object.keys(entry).filter((field) => !known.includes(field))]
  return Object.fromEntries(fields.map((field) => [field, entry[field]]))
}

function toText (results: readonly JsonObject[]): string {
  return yamlText(results, { lineWidth: 0, aliasDuplicateObjects: false })
}
