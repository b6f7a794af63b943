import { printable } from '../../platform/printable.ts'
import type { TemplateProblem } from './problem.ts'

/** Longest rendered path, in characters after encoding. */
export const MAX_PATH_LENGTH = 200

/**
 * A path segment as it stands in a URL: in lower case by Unicode's own rules, whatever the locale, then percent-encoded
 * in UTF-8 with capital hex digits. Everything but RFC 3986's unreserved characters is encoded. The Unicode form is
 * left as it is: composed and decomposed letters stay different.
 */
export function encodeSegment (segment: string): string {
  const lower = segment.toLowerCase()
  if (/^[a-z0-9._~-]*$/.test(lower)) return lower
  return encodeURIComponent(lower).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )
}

/**
 * The problem of a segment that no HTTPRoute path can hold, or that could lead a lenient server out of it; undefined
 * where there is none.
 */
export function segmentProblem (segment: string): TemplateProblem | undefined {
  const fault = !segment.isWellFormed()
    ? 'holds half of a surrogate pair, which no URL can carry'
    : climbs(segment) ? 'is or hides a "." or "..", and would lead to another path' : undefined
  if (fault === undefined) return undefined
  return {
    code: 'AIM-PATH-SEGMENT-INVALID',
    what: `the path segment "${printable(segment, 40)}" ${fault}`,
    remedy: 'use another text or value there'
  }
}

/**
 * Whether a server that decodes twice, and takes encoded slashes and backslashes for separators, finds a dot segment in
 * it.
 */
function climbs (segment: string): boolean {
  if (!segment.includes('.') && !segment.includes('%')) return false
  const decoded = segment.includes('%') ? decodeAscii(decodeAscii(segment)) : segment
  return decoded.split(/[/\\]/).some((part) => part === '.' || part === '..')
}

function decodeAscii (text: string): string {
  return text.replace(/%([0-7][\da-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
