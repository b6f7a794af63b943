import type { StatusCause } from '../api/admission-review.ts'

/** Longest message of a cause, and of the refusal as a whole, in UTF-16 code units. */
const MAX_MESSAGE = 1_024
/**
 * Longest warning, and all of them together, in bytes: beyond these the API server cuts. Source: apiserver, warning
 * recorder.
 */
const MAX_WARNING = 256
const MAX_WARNINGS = 4_096

/**
 * The message of a cause on one line; a long one is shortened in its middle: what is wrong stands at its beginning,
 * what mends it at its end.
 */
export function shownMessage (message: string): string {
  const text = oneLine(message)
  if (text.length <= MAX_MESSAGE) return text
  return `${text.slice(0, MAX_MESSAGE / 2 - 1).toWellFormed()}…${text.slice(-MAX_MESSAGE / 2).toWellFormed()}`
}

/** All causes in one message. */
export function shownMessages (causes: readonly StatusCause[]): string {
  const text = causes.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1).toWellFormed()}…` : text
}

/** As many warnings as the API server passes on, each of a length that it shows. */
export function shownWarnings (warnings: readonly string[]): string[] {
  let room = MAX_WARNINGS
  return warnings
    .map((warning) => shortenedToBytes(oneLine(warning), MAX_WARNING))
    .filter((warning) => (room -= ENCODER.encode(warning).length) >= 0)
}

function oneLine (text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

/** Shortened in its middle as well, between characters. */
function shortenedToBytes (text: string, bytes: number): string {
  const encoded = ENCODER.encode(text)
  if (encoded.length <= bytes) return text
  const kept = bytes - ELLIPSIS.length
  let end = Math.floor(kept / 2)
  let start = encoded.length - Math.ceil(kept / 2)
  const isContinued = (at: number): boolean => ((encoded[at] ?? 0) & 0xC0) === 0x80
  while (isContinued(end)) end--
  while (isContinued(start)) start++
  return `${DECODER.decode(encoded.subarray(0, end))}…${DECODER.decode(encoded.subarray(start))}`
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const ELLIPSIS = ENCODER.encode('…')
