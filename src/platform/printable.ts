/**
 * Text for a message: one line of at most `limit` visible characters. Control and format characters, line separators
 * and lone surrogates become `\u{…}`.
 */
export function printable (text: string, limit = 120): string {
  const characters = Array.from(text.slice(0, 2 * limit + 2)) // a character has at most two code units
  const cut = characters.length > limit
  return (cut ? characters.slice(0, limit).join('') + '…' : text)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** The text of a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it. */
export function decodeText (bytes: Uint8Array): string {
  const [first, second] = bytes
  const isLittle = first === 0xff && second === 0xfe
  const isBig = first === 0xfe && second === 0xff
  return new TextDecoder(isLittle ? 'utf-16le' : isBig ? 'utf-16be' : 'utf-8').decode(bytes)
}
