import { stat } from 'node:fs/promises'
import { objectTitle, readLocalObjects, type GivenObject } from '../offline/local-object.ts'
import { pathsLike, readManifestFile, readManifestFolder, type ManifestFile } from '../offline/manifest-files.ts'
import type { Position } from '../offline/read-manifests.ts'
import { proxyFromEnvironment } from '../kube/client/proxy.ts'
import { errorMessage } from '../platform/error-message.ts'
import { decodeText, oneLine } from '../platform/printable.ts'

export interface Input {
  /** Objects of the three kinds, in order. */
  readonly objects: readonly GivenObject[]
  /** Why the input is unusable, one line each: `services.yaml:12:1: reason`. */
  readonly problems: readonly string[]
}

export interface InputOptions {
  readonly stdin: () => Promise<string>
  /** Whether folders are read recursively. */
  readonly recursive?: boolean
  /** Of manifests without one. */
  readonly namespace?: string
}

/** Reads files, folders, patterns and, for `-`, standard input. */
export async function readInput (paths: readonly string[], options: InputOptions): Promise<Input> {
  const files = (await Promise.all(paths.map((path) => filesAt(path, options)))).flat()
  const inputs = files.map((file) => inputOf(file, options))
  const objects = inputs.flatMap((input) => input.objects)
  const problems = inputs.flatMap((input) => input.problems)
  if (paths.length > 0 && objects.length === 0 && problems.length === 0) {
    problems.push(`${paths.join(', ')}: no AIMService and no runtime configuration`)
  }
  return { objects, problems }
}

/** `services.yaml:12:1` */
export function placeText (file: string, { line, column }: Position): string {
  return `${oneLine(file)}:${line}:${column}`
}

/** One line per violation of a schema. */
export function schemaProblems (objects: readonly GivenObject[]): string[] {
  return objects.flatMap((given) => given.errors.map(({ field, message }) =>
    `${placeText(given.file, given.positionOf(field))}: ${objectTitle(given)}: ${field}: ${message}`))
}

async function filesAt (path: string, options: InputOptions): Promise<ManifestFile[]> {
  if (path === '-') return [{ path: 'stdin', text: await options.stdin() }]
  try {
    if (/^https?:\/\//.test(path)) return [{ path, text: await textAt(path) }]
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory() === true) return await readManifestFolder(path, options)
    const matches = found === undefined && /[*?[\\]/.test(path) ? await pathsLike(path) : []
    if (matches.length === 0) return [await readManifestFile(path)]
    return (await Promise.all(matches.map((match) => filesAt(match, options)))).flat()
  } catch (error) {
    return [{ path, problem: errorMessage(error), isMissing: false }]
  }
}

/** The manifests at a URL, through the proxy of the environment. */
async function textAt (url: string): Promise<string> {
  const { Agent, ProxyAgent, fetch } = await import('undici')
  const proxy = proxyFromEnvironment(url, process.env)
  const dispatcher = proxy === '' ? new Agent() : new ProxyAgent({ uri: proxy, proxyTunnel: url.startsWith('https:') })
  try {
    const response = await fetch(url, { dispatcher })
    if (!response.ok) throw new Error(`the server responded with ${response.status} ${response.statusText}`)
    return decodeText(await response.bytes())
  } catch (error) {
    throw error instanceof TypeError && error.cause !== undefined ? error.cause : error // why the fetch failed
  } finally {
    await dispatcher.close()
  }
}

function inputOf (file: ManifestFile, { namespace }: InputOptions): Input {
  if ('problem' in file) return { objects: [], problems: [`${file.path}: ${file.problem}`] }
  const { objects, faults } = readLocalObjects(file.text, file.path, namespace)
  return { objects, problems: faults.map(({ position, reason }) => `${placeText(file.path, position)}: ${reason}`) }
}
