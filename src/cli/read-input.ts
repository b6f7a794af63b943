import { readFile, stat } from 'node:fs/promises'
import { reasonOf } from '../core/reason-of.ts'
import { localObject } from '../local/local-object.ts'
import type { LocalObject } from '../local/local-object.ts'
import { readManifestFolder } from '../local/manifest-files.ts'
import type { ManifestFile } from '../local/manifest-files.ts'
import { readManifests } from '../local/read-manifests.ts'

/** An object and the place it comes from: `services.yaml:12:1`. */
export interface GivenObject extends LocalObject { readonly source: string }

export interface Input {
  /** Those of our kinds, in order. */
  readonly objects: readonly GivenObject[]
  /** Why the input is unusable, a line each: `services.yaml:12:1: reason`. */
  readonly problems: readonly string[]
}

/** The objects of files, folders and, for `-`, of the standard input. */
export async function readInput (paths: readonly string[], stdin: () => Promise<string>): Promise<Input> {
  const files = (await Promise.all(paths.map((path) => filesAt(path, stdin)))).flat()
  const inputs = files.map(inputOf)
  const objects = inputs.flatMap((input) => input.objects)
  const problems = inputs.flatMap((input) => input.problems)
  if (objects.length === 0 && problems.length === 0) problems.push(`${paths.join(', ')}: no AIMService and no runtime configuration in it`)
  return { objects, problems }
}

async function filesAt (path: string, stdin: () => Promise<string>): Promise<ManifestFile[]> {
  try {
    if (path === '-') return [{ path: 'stdin', text: await stdin() }]
    return (await stat(path)).isDirectory() ? await readManifestFolder(path) : [{ path, text: await readFile(path, 'utf8') }]
  } catch (error) {
    return [{ path, problem: reasonOf(error) }]
  }
}

function inputOf (file: ManifestFile): Input {
  if ('problem' in file) return { objects: [], problems: [`${file.path}: ${file.problem}`] }
  const { manifests, faults } = readManifests(file.text)
  const place = ({ line, column }: { line: number, column: number }) => `${file.path}:${line}:${column}`
  return {
    objects: manifests.flatMap(({ object, position }) => {
      const local = localObject(object)
      return local === undefined ? [] : [{ ...local, source: place(position) }]
    }),
    problems: faults.map(({ position, reason }) => `${place(position)}: ${reason}`)
  }
}
