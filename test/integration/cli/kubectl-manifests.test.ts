import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { readManifests } from '../../../src/offline/read-manifests.ts'
import { ownObject, parseJson, type JsonObject } from '../../../src/platform/json.ts'
import { decodeText } from '../../../src/platform/printable.ts'
import { MANIFEST_CASES, REFUSED_BESIDE_KUBECTL } from '../../support/builders/manifest-cases.ts'

/** The objects of a file; undefined if it is refused. */
type Read = readonly JsonObject[] | undefined

function ours (bytes: Uint8Array): Read {
  const { manifests, faults } = readManifests(decodeText(bytes))
  return faults.length > 0 ? undefined : manifests.map(({ object }) => object)
}

/** Reads all files with one process: it prints the objects of good files, and an error with the path of a bad one. */
async function kubectls (files: readonly Uint8Array[], folder: string): Promise<Read[]> {
  await Promise.all(files.map((bytes, at) => writeFile(path.join(folder, `case-${at}.yaml`), bytes)))
  const args = ['annotate', '--local', '-o', 'json', '-f', folder, 'read=true']
  const { stdout, stderr } = await new Promise<{ stdout: string, stderr: string }>((resolve) => {
    execFile('kubectl', args, { maxBuffer: 2 ** 28 }, (_, stdout, stderr) => { resolve({ stdout, stderr }) })
  })
  const objects = stdout.split(/(?<=^\})\n/m).filter((json) => json.trim() !== '')
    .map((json) => parseJson(json) as JsonObject) // what kubectl prints
  const byName = Map.groupBy(objects, (object) => ownObject(object, 'metadata')['name'])
  const refused = new Set([...stderr.matchAll(/case-(\d+)\.yaml/g)].map(([, at]) => Number(at)))
  return files.map((_, at) => refused.has(at) ? undefined : (byName.get(`case-${at}`) ?? []).map(withoutAnnotation))
}

function withoutAnnotation (object: JsonObject): JsonObject {
  const { annotations, ...metadata } = ownObject(object, 'metadata')
  return { ...object, metadata }
}

function named (bytes: Uint8Array, at: number): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString('latin1')
    .replaceAll('NAME', `case-${at}`)
    .replaceAll('N\0A\0M\0E\0', `case-${at}`.replaceAll(/./g, '$&\0'))
    .replaceAll('\0N\0A\0M\0E', `case-${at}`.replaceAll(/./g, '\0$&')), 'latin1')
}

t.test('files have the meaning that kubectl gives them', async (t) => {
  const files = MANIFEST_CASES.map(named)
  const wants = await kubectls(files, t.testdir())
  const differences = files.flatMap((bytes, at) => {
    const [given, want] = [ours(bytes), wants[at]].map(shown)
    return given === want ? [] : [{ file: shown(Buffer.from(bytes).toString()), given, want }]
  })
  t.same(differences, [])
  const refused = wants.filter((want) => want === undefined).length
  t.comment(`${files.length} files, of which kubectl refuses ${refused}`)
  t.ok(files.length > 500 && refused > 100)
})

t.test('what kubectl reads and the product refuses is listed with reasons', async (t) => {
  const reasons = Object.entries(REFUSED_BESIDE_KUBECTL)
  const files = reasons.flatMap(([, texts]) => texts).map((text, at) => named(Buffer.from(text), at))
  const wants = await kubectls(files, t.testdir())
  t.same(files.filter((bytes, at) => wants[at] === undefined || ours(bytes) !== undefined).map(String), [])
  t.comment(`${files.length} files for ${reasons.length} reasons`)
})

function shown (value: unknown): string {
  const text = value === undefined ? 'refused' : JSON.stringify(canonical(value))
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

/** With sorted keys. */
function canonical (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, item]) => [key, canonical(item)])
}
