import type { Texts } from './examine.ts'

/** Size limit of the texts in a link, in bytes of JSON. */
const MAX_BYTES = 200_000

/** Encodes the texts as a URL fragment: deflated JSON in base64url (RFC 4648 §5). Browsers do not send fragments. */
export async function toFragment ({ configs, services }: Texts): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify([configs, services]))
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
