import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeText } from '../platform/printable.ts'

/** The text of a file of manifests, or why it could not be read. */
export type ManifestFile =
  | { readonly path: string, readonly text: string }
  | { readonly path: string, readonly problem: string }

/**
 * The files of a folder that kubectl would read, sorted by name; hidden files are skipped. Rejects with a system error.
 */
export async function readManifestFolder (
  folder: string, { recursive = false }: { readonly recursive?: boolean } = {}
): Promise<ManifestFile[]> {
  const names = (await readdir(folder, { recursive }))
    .filter((name) => /(^|\/)[^./][^/]*\.(ya?ml|json)$/.test(name))
    .sort()
  const files = await Promise.all(names.map((name) => readManifestFile(join(folder, name))))
  return files.filter((file) => file !== undefined)
}

/** Undefined if the path is a folder or no longer exists. */
async function readManifestFile (path: string): Promise<ManifestFile | undefined> {
  try {
    return { path, text: decodeText(await readFile(path)) }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const isSkipped = 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR')
    return isSkipped ? undefined : { path, problem: error.message }
  }
}
