import { glob, readFile, stat } from 'node:fs/promises'
import { errorMessage } from '../platform/error-message.ts'
import { readLocalObjects, type GivenObject } from '../offline/local-object.ts'
import { readManifestFolder, type ManifestFile } from '../offline/manifest-files.ts'
import type { Position } from '../offline/read-manifests.ts'

export interface Input {
  /** Those of our kinds, in order. */
  readonly objects: readonly GivenObject[]
  /** Why the input is unusable, a line each: `services.yaml:12:1: reason`. */
  readonly problems: readonly string[]
}

export interface InputOptions {
  readonly stdin: () => Promise<string>
  /** Whether folders are read with all that is below them. */
  readonly recursive?: boolean
}

/** The objects of files, of folders, of the files that a pattern matches and, for `-`, of the standard input. */
export async function readInput (paths: readonly string[], options: InputOptions): Promise<Input> {
  const files = (await Promise.all(paths.map((path) => filesAt(path, options)))).flat()
  const inputs = files.map(inputOf)
  const objects = inputs.flatMap((input) => input.objects)
  const problems = inputs.flatMap((input) => input.problems)
  if (paths.length > 0 && objects.length === 0 && problems.length === 0) { problems.push(`${paths.join(', ')}: no AIMService and no runtime configuration in it`) }
  return { objects, problems }
}

/** How messages name a place: `services.yaml:12:1`. */
export function placeText (file: string, { line, column }: Position): string {
  return `${file}:${line}:${column}`
}

async function filesAt (path: string, options: InputOptions): Promise<ManifestFile[]> {
  try {
    if (path === '-') return [{ path: 'stdin', text: await options.stdin() }]
    return await filesOrFolder(path, options)
  } catch (error) {
    const matching = /[*?[{]/.test(path) ? await matches(path) : []
    if (matching.length === 0) return [{ path, problem: errorMessage(error) }]
    return (await Promise.all(matching.map((file) => filesAt(file, options)))).flat()
  }
}

async function filesOrFolder (path: string, options: InputOptions): Promise<ManifestFile[]> {
  return (await stat(path)).isDirectory()
    ? await readManifestFolder(path, options)
    : [{ path, text: await readFile(path, 'utf8') }]
}

/** In the order of their names, whatever the file system's. */
async function matches (pattern: string): Promise<string[]> {
  return (await Array.fromAsync(glob(pattern))).sort()
}

function inputOf (file: ManifestFile): Input {
  if ('problem' in file) return { objects: [], problems: [`${file.path}: ${file.problem}`] }
  const { objects, faults } = readLocalObjects(file.text, file.path)
  return {
    objects,
    problems: faults.map(({ position, reason }) => `${placeText(file.path, position)}: ${reason}`)
  }
}
