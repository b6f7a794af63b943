import { watch, type FSWatcher } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { KINDS, type Kind } from '../api/kinds.ts'
import type { Log, ObjectSink } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import { objectTitle, readLocalObjects, type LocalObject } from './local-object.ts'
import { readManifestFolder, type ManifestFile } from './manifest-files.ts'
import type { ManifestFault } from './read-manifests.ts'

export interface ManifestStoreOptions {
  /** Its .yaml, .yml and .json files are read, sorted by name; subfolders are not. */
  readonly folder: string
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  readonly log: Log
}

interface StoredFile {
  /** The text as last read, or why it could not be read. */
  readonly content: string
  /** The last valid objects. */
  readonly objects: readonly LocalObject[]
}

/** Delay between the first file event and the read, in milliseconds: an editor causes several events at once. */
const SETTLE_MS = 50

/**
 * The embedded store: feeds the objects of a folder of manifests, and all changes to them, into the sinks. A file with
 * any fault is logged, and its last valid objects stay.
 */
export class ManifestStore {
  readonly #options: ManifestStoreOptions
  #files: ReadonlyMap<string, StoredFile> = new Map()
  #fed: ReadonlyMap<string, LocalObject> = new Map()
  #duplicates: ReadonlySet<string> = new Set()
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor (options: ManifestStoreOptions) { this.#options = options }

  /** Resolves when all files are read and fed. Rejects if the folder cannot be read. */
  async start (): Promise<void> {
    const { folder, log } = this.#options
    try {
      // before the first read, so that no change is missed
      this.#watcher = watch(folder, () => { this.#scheduleRead() })
      this.#watcher.on('error', (error) => {
        log.error({ folder, reason: error.message }, 'failed to watch manifest folder, keeping its last objects')
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

  #scheduleRead (): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#readNext().catch((error: unknown) => {
        const { folder, log } = this.#options
        log.error({ folder, reason: errorMessage(error) }, 'failed to read manifest folder, keeping its last objects')
      })
    }, SETTLE_MS)
  }

  /** One read at a time. */
  #readNext (): Promise<void> {
    const reading = this.#reading.then(() => this.#read())
    this.#reading = reading.catch(() => undefined) // the caller handles the error
    return reading
  }

  async #read (): Promise<void> {
    const files = await readManifestFolder(this.#options.folder)
    // a file may go while the folder is read
    const present = files.filter((file) => 'text' in file || !file.isMissing)
    this.#files = new Map(present.map((file) => [file.path, this.#parse(file)]))
    this.#feed(this.#distinctObjects())
  }

  /** Parses a file only if it has changed, so that a fault is logged once. */
  #parse (file: ManifestFile): StoredFile {
    const { path } = file
    const previous = this.#files.get(path)
    const content = 'text' in file ? file.text : file.problem
    if (previous?.content === content) return previous
    const { objects, faults } = 'text' in file
      ? validObjects(file.text, path)
      : { objects: [], faults: [{ position: { line: 1, column: 1 }, reason: file.problem }] }
    for (const { position, reason } of faults) {
      const keys = { file: path, ...position, reason }
      this.#options.log.error(keys, 'invalid manifest file, keeping its last valid objects')
    }
    return { content, objects: faults.length === 0 ? objects : previous?.objects ?? [] }
  }

  /** The objects by title; the first file wins. */
  #distinctObjects (): Map<string, LocalObject> {
    const distinct = new Map<string, LocalObject>()
    const duplicates = new Set<string>()
    for (const [file, { objects }] of this.#files) {
      for (const object of objects) {
        const title = objectTitle(object)
        if (distinct.has(title)) duplicates.add(`${title} in ${file}`)
        else distinct.set(title, object)
      }
    }
    for (const object of duplicates.difference(this.#duplicates)) {
      this.#options.log.warn({ object }, 'ignored duplicate object, the first definition applies')
    }
    this.#duplicates = duplicates
    return distinct
  }

  /** Feeds removals, then changes; configurations before services. */
  #feed (objects: ReadonlyMap<string, LocalObject>): void {
    for (const [title, { kind, key }] of this.#fed) {
      if (!objects.has(title)) this.#attempt(title, () => { this.#options.sinks[kind.kind].remove(key) })
    }
    const ordered = KINDS.flatMap((kind) => [...objects].filter(([, object]) => object.kind === kind))
    for (const [title, { kind, object }] of ordered) {
      if (!isDeepStrictEqual(this.#fed.get(title)?.object, object)) {
        this.#attempt(title, () => { this.#options.sinks[kind.kind].upsert(object) })
      }
    }
    this.#fed = objects
  }

  #attempt (object: string, feed: () => void): void {
    try {
      feed()
    } catch (error) {
      this.#options.log.error({ object, reason: errorMessage(error) }, 'failed to index object')
    }
  }
}

interface ValidObjects { readonly objects: readonly LocalObject[], readonly faults: readonly ManifestFault[] }

/** The objects of our kinds, and the faults of the text and of these objects. */
function validObjects (text: string, file: string): ValidObjects {
  const { objects, faults } = readLocalObjects(text, file)
  const invalid = objects.flatMap((local) => errorsOf(local).map(({ field, message }) =>
    ({ position: local.position, reason: `${objectTitle(local)}: ${field}: ${message}` })))
  return { objects, faults: [...faults, ...invalid] }
}

/** No API server resolves generateName here. */
function errorsOf ({ key, errors }: LocalObject): LocalObject['errors'] {
  return key.name === '' && errors.length === 0
    ? [{ field: 'metadata.name', message: 'Required value: a manifest of the store needs a name' }]
    : errors
}
