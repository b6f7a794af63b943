import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { isMap, isSeq, parseDocument, stringify } from 'yaml'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../../platform/json.ts'
import { errorMessage } from '../../../platform/error-message.ts'
import { objectTitle } from '../../../offline/local-object.ts'
import { readManifestFolder } from '../../../offline/manifest-files.ts'
import { newAdmissionEngine } from '../../../../webhooks/engine.ts'
import type { ReviewedObject } from '../../../offline/diagnostics.ts'
import { reviewObjects } from '../../../offline/review-objects.ts'
import { loadWorld } from '../../known-objects.ts'
import { readInput, type Input } from '../../read-input.ts'
import type { TestFlags } from './command.ts'

export const EXPECTED = 'expected.yaml'

/** A folder of manifests, what is expected of them, and what came out. */
export interface TestCase {
  /** Path below the folder under test; `.` for itself. */
  readonly name: string
  readonly file: string
  /** Undefined where nothing is expected yet. */
  readonly expected: string | undefined
  /** What came out, in the form of what is expected. */
  readonly actual: string
  /** All of what came out, as it would be written. */
  readonly full: string
  /** Why the case cannot be run, a line each. */
  readonly problems: readonly string[]
}

/**
 * Runs every case below a folder, in the order of their names. Rejects with a system error where the folder cannot be
 * read.
 */
export async function runCases (dir: string, flags: Pick<TestFlags, 'missingConfig'>): Promise<TestCase[]> {
  const folders = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => path.join(parentPath, name))
  const cases = await Promise.all([dir, ...folders.sort()].map((folder) => runCase(dir, folder, flags)))
  return cases.filter((one) => one !== undefined)
}

/** Undefined where the folder has no manifest. */
async function runCase (dir: string, folder: string, { missingConfig }: Pick<TestFlags, 'missingConfig'>): Promise<TestCase | undefined> {
  const files = (await readManifestFolder(folder))
    .map((file) => path.basename(file.path))
    .filter((name) => name !== EXPECTED)
  if (files.length === 0) return undefined
  const [known, old, given] = await Promise.all([
    input(folder, files.filter((name) => name.startsWith('known'))),
    input(folder, files.filter((name) => name.startsWith('old'))),
    input(folder, files.filter((name) => !name.startsWith('known') && !name.startsWith('old')))
  ])
  const file = path.join(folder, EXPECTED)
  const expected = await textOf(file)
  const problems = [known, old, given].flatMap((one) => one.problems)
  const about = { name: path.relative(dir, folder) || '.', file, expected }
  if (problems.length > 0) return { ...about, actual: '', full: '', problems }
  const admission = newAdmissionEngine({ missingConfig, missingBlock: 'refuse' })
  const stored = loadWorld({ objects: known.objects, stored: old.objects, problems }, admission, given.objects)
  const results = reviewObjects(given.objects, admission, { stored }).map(resultOf)
  const wanted = readExpected(expected ?? '[]')
  return {
    ...about,
    full: written(results),
    actual: written(comparable(results, wanted.entries)),
    problems: wanted.problem === undefined ? [] : [`${file}: ${wanted.problem}`]
  }
}

async function input (folder: string, names: readonly string[]): Promise<Input> {
  return await readInput(names.map((name) => path.join(folder, name)), { stdin: async () => '' })
}

async function textOf (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * What came of an object, in the words of expected.yaml. No warning and no patch are written down too, so that one that
 * comes later differs.
 */
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

/** Fields that may be expected of an object; where one of them is left out in expected.yaml, it is not compared. */
const FIELDS = ['allowed', 'refusals', 'warnings', 'path', 'patch'] as const

interface Expectations { readonly entries: readonly JsonObject[], readonly problem?: string }

function readExpected (text: string): Expectations {
  try {
    const document = parseDocument(text)
    const [error] = document.errors
    const entries: unknown =
      error === undefined && isSeq(document.contents) && document.contents.items.every(isMap)
        ? document.toJS()
        : undefined
    if (!Array.isArray(entries)) {
      return {
        entries: [],
        problem: error?.message.split('\n', 1)[0] ?? 'not a list of what is expected of each object'
      }
    }
    return { entries: entries.filter(isJsonObject) }
  } catch (error) {
    return { entries: [], problem: errorMessage(error) }
  }
}

/**
 * The results with the fields that are expected, in the order of what is expected. An object of which nothing is
 * expected is passed over where it is admitted, and shown where it is refused.
 */
function comparable (results: readonly JsonObject[], expected: readonly JsonObject[]): JsonObject[] {
  const byTitle = new Map(results.map((result) => [result['object'], result]))
  const named = new Set(expected.map((entry) => entry['object']))
  const shown = expected.flatMap((entry) => {
    const result = byTitle.get(entry['object'])
    return result === undefined ? [] : [likeEntry(result, entry)]
  })
  return [...shown, ...results.filter((result) => !named.has(result['object']) && result['allowed'] === false)]
}

/** An expectation that is empty is met by nothing. */
function likeEntry (result: JsonObject, entry: JsonObject): JsonObject {
  const fields = FIELDS.filter((field) => Object.hasOwn(entry, field))
  const values = fields.map((field): [string, unknown] => [
    field,
    own(result, field) ?? (Array.isArray(entry[field]) ? [] : '')
  ])
  return { object: result['object'], ...Object.fromEntries(values) }
}

function written (results: readonly JsonObject[]): string {
  return stringify(results, { lineWidth: 0, aliasDuplicateObjects: false })
}

/** What is expected, in the form in which results are written, so that comments and quotes make no difference. */
export function expectedText (text: string): string {
  const entries = readExpected(text).entries.map((entry) => {
    const known = ['object', ...FIELDS].filter((field) => Object.hasOwn(entry, field))
    const fields = [...known, ...Object.keys(entry).filter((field) => !known.includes(field))]
    return Object.fromEntries(fields.map((field): [string, unknown] => [field, entry[field]]))
  })
  return written(entries)
}
