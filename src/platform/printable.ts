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
