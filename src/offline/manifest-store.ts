import { watch, type FSWatcher } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { KINDS, type Kind } from '../api/kinds.ts'
import type { FieldError } from '../api/validate-object.ts'
import type { Log, ObjectSink } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import { localObject, objectTitle, type LocalObject } from './local-object.ts'
import { readManifestFolder, type ManifestFile } from './manifest-files.ts'
import { readManifests, type ManifestFault } from './read-manifests.ts'

export interface ManifestStoreOptions {
  /** Its files ending in .yaml, .yml or .json count, in the order of their names; folders in it do not. */
  readonly folder: string
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  readonly log: Log
}

/** A file as it was last read, and what was last good in it. */
interface ReadFile {
  /** Its text, or why it could not be read. */
  readonly content: string
  readonly objects: readonly LocalObject[]
}

/**
 * How long after the first sign of a change the folder is read, in milliseconds: editors write, rename and remove in
 * one go.
 */
const SETTLE_MS = 50

/**
 * The embedded store: the objects of a folder of manifests, and every change to them, fed into the sinks. A file counts
 * whole or not at all: one with a fault is reported, and what was last good in it stays.
 */
export class ManifestStore {
  readonly #options: ManifestStoreOptions
  #files: ReadonlyMap<string, ReadFile> = new Map()
  #fed: ReadonlyMap<string, LocalObject> = new Map()
  #doubles: ReadonlySet<string> = new Set()
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor (options: ManifestStoreOptions) {
    this.#options = options
  }

  /** Resolves when all files are read and fed. Rejects with a sentence where the folder cannot be read. */
  async start (): Promise<void> {
    const { folder, log } = this.#options
    try {
      // before the first reading, so that no change falls between
      this.#watcher = watch(folder, () => { this.#settle() })
      this.#watcher.on('error', (error) => {
        log.error({ folder, reason: error.message }, 'manifest folder is no longer watched, its last state stays')
      })
      await this.#readNext()
    } catch (error) {
      await this.stop()
      throw new Error(`cannot read the manifest folder ${folder}: ${errorMessage(error)}`, { cause: error })
    }
    log.info({ folder, files: this.#files.size, objects: this.#fed.size }, 'manifests loaded')
  }

  async stop (): Promise<void> {
    this.#watcher?.close()
    clearTimeout(this.#timer)
    await this.#reading
  }

  #settle (): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#readNext().catch((error: unknown) => {
        const { folder, log } = this.#options
        log.error({ folder, reason: errorMessage(error) }, 'manifest folder cannot be read, its last state stays')
      })
    }, SETTLE_MS)
  }

  /** One reading at a time. */
  #readNext (): Promise<void> {
    const reading = this.#reading.then(() => this.#read())
    this.#reading = reading.catch(() => undefined) // told of by whoever asked for this reading
    return reading
  }

  async #read (): Promise<void> {
    const files = await readManifestFolder(this.#options.folder)
    this.#files = new Map(files.map((file) => [file.path, this.#parse(file)]))
    this.#feed(this.#distinct())
  }

  /** Only what has changed is parsed, so that a fault is reported once. */
  #parse (file: ManifestFile): ReadFile {
    const { path } = file
    const known = this.#files.get(path)
    const content = 'text' in file ? file.text : file.problem
    if (known?.content === content) return known
    const { objects, faults } =
      'text' in file
        ? objectsOf(file.text)
        : { objects: [], faults: [{ position: { line: 1, column: 1 }, reason: file.problem }] }
    for (const { position, reason } of faults) {
      this.#options.log.error({ file: path, ...position, reason }, 'manifest file is faulty, its last good state stays')
    }
    return { content, objects: faults.length === 0 ? objects : known?.objects ?? [] }
  }

  /** Every object once, by its title: of two with the same title the first counts, in the order of the files. */
  #distinct (): Map<string, LocalObject> {
    const distinct = new Map<string, LocalObject>()
    const doubles = new Set<string>()
    for (const [file, { objects }] of this.#files) {
      for (const object of objects) {
        const title = objectTitle(object)
        if (distinct.has(title)) doubles.add(`${title} in ${file}`)
        else distinct.set(title, object)
      }
    }
    for (const object of doubles.difference(this.#doubles)) { this.#options.log.warn({ object }, 'object is defined twice, the first one counts') }
    this.#doubles = doubles
    return distinct
  }

  /** Tells the sinks what has gone, come and changed; configurations before services. */
  #feed (wanted: ReadonlyMap<string, LocalObject>): void {
    for (const [title, { kind, key }] of this.#fed) {
      if (!wanted.has(title)) this.#attempt(title, () => { this.#options.sinks[kind.kind].remove(key) })
    }
    const ordered = KINDS.flatMap((kind) => [...wanted].filter(([, object]) => object.kind === kind))
    for (const [title, { kind, object }] of ordered) {
      if (!isDeepStrictEqual(this.#fed.get(title)?.object, object)) {
        this.#attempt(title, () => { this.#options.sinks[kind.kind].upsert(object) })
      }
    }
    this.#fed = wanted
  }

  #attempt (object: string, feed: () => void): void {
    try {
      feed()
    } catch (error) {
      this.#options.log.error({ object, reason: errorMessage(error) }, 'object could not be taken in')
    }
  }
}

/** The objects of our kinds in a text, and the faults of the text and of these objects. */
function objectsOf (text: string): { readonly objects: readonly LocalObject[], readonly faults: readonly ManifestFault[] } {
  const { manifests, faults: broken } = readManifests(text)
  const found = manifests.flatMap(({ object, position }) => {
    const local = localObject(object)
    return local === undefined ? [] : [{ local, position }]
  })
  const faulty = found.flatMap(({ local, position }) =>
    errorsOf(local).map(({ field, message }) => ({ position, reason: `${objectTitle(local)}: ${field}: ${message}` })))
  return { objects: found.map(({ local }) => local), faults: [...broken, ...faulty] }
}

/** Nothing in a folder makes a name of generateName. */
function errorsOf ({ key, errors }: LocalObject): readonly FieldError[] {
  return key.name === '' && errors.length === 0
    ? [{ field: 'metadata.name', message: 'Required value: a manifest of the store needs a name' }]
    : errors
}
