import { parseAllDocuments, stringify } from 'yaml'
import { isJsonObject, own } from '../src/platform/json.ts'

export const TEXT_NAMES = ['configs', 'services'] as const
export type TextName = typeof TEXT_NAMES[number]

/** The manifests in the two editors. */
export type Texts = Readonly<Record<TextName, string>>

/** Objects of files, each in the editor of its kind. */
export interface Sorted { readonly texts: Texts, readonly configs: number, readonly services: number }

/** Other kinds are skipped. A file that cannot be read stays whole, so that its error shows. */
export function textsOf (files: readonly string[]): Sorted {
  const documents = files.flatMap(documentsOf)
  const ofKind = (pattern: RegExp): string[] =>
    documents.filter(({ kind }) => pattern.test(kind)).map(({ text }) => text)
  const [configs, services] = [ofKind(/^AIM(?:Cluster)?RuntimeConfig$/), ofKind(/^(?:AIMService|unreadable)$/)]
  return {
    texts: { configs: configs.join('---\n'), services: services.join('---\n') },
    configs: configs.length,
    services: services.length
  }
}

interface Sortable { readonly kind: string, readonly text: string }

/** Documents as written; those of JSON and the items of a List as YAML. */
function documentsOf (file: string): Sortable[] {
  const documents = parseAllDocuments(file)
  if (documents.some(({ errors }) => errors.length > 0)) {
    return /^\s*"?kind"?: *"?AIM/m.test(file) ? [{ kind: 'unreadable', text: `${file.trimEnd()}\n` }] : []
  }
  return documents.flatMap((document) => {
    const value: unknown = document.toJS()
    if (!isJsonObject(value)) return []
    const items = own(value, 'items')
    if (Array.isArray(items)) return items.map(asYaml)
    const written = file.slice(document.range[0], document.range[1]).replace(/^(?:---)?\n*/, '').trimEnd()
    return written.startsWith('{') ? asYaml(value) : { kind: String(value['kind']), text: `${written}\n` }
  })
}

function asYaml (value: unknown): Sortable {
  const kind = isJsonObject(value) ? String(value['kind']) : ''
  return { kind, text: stringify(value, { indentSeq: false, lineWidth: 0 }) }
}

/** Size limit of the texts in a link, in bytes of JSON. */
const MAX_BYTES = 200_000

/**
 * Encodes the texts as a URL fragment: deflated JSON in base64url (RFC 4648 §5). Browsers do not send fragments.
 * Undefined if the texts are too large.
 */
export async function toFragment ({ configs, services }: Texts): Promise<string | undefined> {
  const json = new TextEncoder().encode(JSON.stringify([configs, services]))
  if (json.length > MAX_BYTES) return undefined
  const bytes = await transformed(json, new CompressionStream('deflate-raw'))
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
}

/** Undefined if the fragment contains no texts. */
export async function fromFragment (fragment: string): Promise<Texts | undefined> {
  try {
    const bytes = Uint8Array.fromBase64(fragment, { alphabet: 'base64url' })
    const json = await transformed(bytes, new DecompressionStream('deflate-raw'))
    const value: unknown = JSON.parse(new TextDecoder().decode(json))
    const [configs, services] = Array.isArray(value) ? value as unknown[] : []
    return typeof configs === 'string' && typeof services === 'string' ? { configs, services } : undefined
  } catch {
    return undefined
  }
}

async function transformed (
  bytes: Uint8Array<ArrayBuffer>, transform: CompressionStream | DecompressionStream
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader()
  const chunks: BlobPart[] = []
  for (let size = 0, next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length
    if (size > MAX_BYTES) throw new RangeError(`the link contains more than ${MAX_BYTES} bytes`)
    chunks.push(next.value)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}
