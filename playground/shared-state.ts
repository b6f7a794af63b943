import type { Texts } from './texts.ts'

/** What a link may hold at most, in characters before compression: a page is not a store. */
const MAX_TEXT = 200_000

/** The texts as a fragment of a URL: JSON, deflated, in the alphabet of RFC 4648 §5. Never sent to a server. */
export async function toFragment ({ configs, services }: Texts): Promise<string> {
  const bytes = await through(
    new TextEncoder().encode(JSON.stringify([configs, services])),
    new CompressionStream('deflate-raw')
  )
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
}

/** Undefined where the fragment holds no texts. */
export async function fromFragment (fragment: string): Promise<Texts | undefined> {
  try {
    const bytes = Uint8Array.fromBase64(fragment, { alphabet: 'base64url' })
    const value: unknown = JSON.parse(
      new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw')))
    )
    if (!Array.isArray(value)) return undefined
    const [configs, services] = value as unknown[]
    return typeof configs === 'string' && typeof services === 'string' ? { configs, services } : undefined
  } catch {
    return undefined
  }
}

async function through (bytes: Uint8Array<ArrayBuffer>, transform: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader()
  const chunks: BlobPart[] = []
  for (let size = 0, next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length
    if (size > MAX_TEXT) throw new RangeError('the link holds more than this page shows')
    chunks.push(next.value)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}
