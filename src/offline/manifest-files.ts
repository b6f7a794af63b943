import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A file of manifests, read whole, or why it could not be read. */
export type ManifestFile =
  | { readonly path: string, readonly text: string }
  | { readonly path: string, readonly problem: string }

/**
 * The files of a folder that kubectl would read, in the order of their names; folders in it are passed over unless it
 * is read with all that is below it, hidden files always. Rejects with a system error.
 */
export async function readManifestFolder (folder: string, { recursive = false }: { readonly recursive?: boolean } = {}): Promise<ManifestFile[]> {
  const names = (await readdir(folder, { recursive }))
    .filter((name) => /(^|\/)[^./][^/]*\.(ya?ml|json)$/.test(name))
    .sort()
  const files = await Promise.all(names.map((name) => readManifestFile(join(folder, name))))
  return files.filter((file) => file !== undefined)
}

/** Undefined where the file has gone meanwhile, or is a folder. */
async function readManifestFile (path: string): Promise<ManifestFile | undefined> {
  try {
    return { path, text: await readFile(path, 'utf8') }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR')
      ? undefined
      : { path, problem: error.message }
  }
}
