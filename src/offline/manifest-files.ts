import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, isMissingFile } from '../platform/error-message.ts'
import { decodeText } from '../platform/printable.ts'

/** The text of a file of manifests, or why it could not be read. */
export type ManifestFile =
  | { readonly path: string, readonly text: string }
  | { readonly path: string, readonly problem: string, readonly isMissing: boolean }

/**
 * The files of a folder in the order of kubectl: hidden files too, and no links to folders. Other than in kubectl,
 * hidden folders are skipped, so that a mounted ConfigMap has each file once. Rejects with a system error.
 */
export async function readManifestFolder (
  folder: string, { recursive = false }: { readonly recursive?: boolean } = {}
): Promise<ManifestFile[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => a.name < b.name ? -1 : 1)
  const files = await Promise.all(entries.map(async (entry) => {
    const file = path.join(folder, entry.name)
    if (!entry.isDirectory()) return /\.(ya?ml|json)$/.test(entry.name) ? [await readManifestFile(file)] : []
    return recursive && !entry.name.startsWith('.') ? await readManifestFolder(file, { recursive }) : []
  }))
  return files.flat()
}

export async function readManifestFile (path: string): Promise<ManifestFile> {
  try {
    return { path, text: decodeText(await readFile(path)) }
  } catch (error) {
    return { path, problem: errorMessage(error), isMissing: isMissingFile(error) }
  }
}

/** The paths that match a pattern: hidden ones too, and through links. Source: Go, filepath.Glob. */
export async function pathsLike (pattern: string): Promise<string[]> {
  const [, plain = '', rest = ''] = /^((?:[^*?[\\/]*\/)*)(.*)$/s.exec(pattern) ?? []
  let found = [plain]
  for (const part of rest.split('/')) {
    const isLike = namePattern(part)
    found = (await Promise.all(found.map(async (folder) => {
      const names = await readdir(folder === '' ? '.' : folder).catch(() => [])
      return names.filter((name) => isLike.test(name)).sort().map((name) => path.join(folder, name))
    }))).flat()
  }
  return found
}

function namePattern (part: string): RegExp {
  const source = part.replaceAll(/\[(?:\\.|[^\]\\])+\]|\\?./gsu, (token) => {
    if (token === '*') return '.*'
    if (token === '?') return '.'
    if (token === '[') throw new Error('a bracket of the pattern is not closed: write \\[ for the character')
    return token.length > 2 ? token : token.replace(/^\\(?=.)/s, '').replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
  })
  return new RegExp(`^${source}$`, 'su')
}
