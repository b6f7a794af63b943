/**
 * Characters that act on a terminal or deceive a reader: controls, formats such as bidirectional ones, line separators,
 * lone surrogates, and all that has no width.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** The text with each hidden character as `escape` writes it, except those that `keep` holds. */
export function escapeHidden (text: string, escape = toCodePoint, keep = ''): string {
  return text.replace(HIDDEN, (character) => keep.includes(character) ? character : escape(character))
}

/** Text for a message: one line of at most `limit` visible characters. Hidden characters become `\u{…}`. */
export function printable (text: string, limit = 120): string {
  const characters = Array.from(text.slice(0, 2 * limit + 2)) // a character has at most two code units
  const cut = characters.length > limit
  return escapeHidden(cut ? characters.slice(0, limit).join('') + '…' : text)
}

/** Text for a line of any length. Line breaks become spaces, other hidden characters `\u{…}`. */
export function oneLine (text: string): string {
  return escapeHidden(text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' '))
}

/** `1 service`, `2 services` */
export function counted (count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** JSON that hides nothing: hidden characters as `\uXXXX`. Keeps the line breaks between its values. */
export function escapeJson (json: string): string {
  return escapeHidden(json, toCodeUnits, '\n')
}

/** `\uXXXX`, twice for a character of two code units. */
export function toCodeUnits (character: string): string {
  return Array.from({ length: character.length }, (_, at) =>
    `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')
}

function toCodePoint (character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** The text of a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it. */
export function decodeText (bytes: Uint8Array): string {
  const [first, second] = bytes
  const isLittle = first === 0xff && second === 0xfe
  const isBig = first === 0xfe && second === 0xff
  return new TextDecoder(isLittle ? 'utf-16le' : isBig ? 'utf-16be' : 'utf-8').decode(bytes)
}
