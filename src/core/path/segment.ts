import { printable } from '../../platform/printable.ts'
import type { TemplateProblem } from './problem.ts'

/** Longest rendered path, in characters after encoding. */
export const MAX_PATH_LENGTH = 200

/** How a segment is written: percent-encoded as in a URL, or with the characters of a DNS name. */
export const SEGMENT_FORMS = ['rfc3986', 'dns'] as const
export type SegmentForm = typeof SEGMENT_FORMS[number]

/** Longest segment of the form `dns`, as of a DNS label. */
export const MAX_DNS_SEGMENT = 63

/**
 * A segment in locale-free lower case. `rfc3986`: percent-encoded in UTF-8 with capital hex digits, except RFC 3986's
 * unreserved characters. The Unicode form stays: composed and decomposed letters differ. `dns`: as operators serve it.
 * Every character but `a-z`, `0-9`, `.`, and `-` becomes `-`, and the end is cut off.
 */
export function encodeSegment (segment: string, form: SegmentForm = 'rfc3986'): string {
  const lower = segment.toLowerCase()
  if (form === 'dns') return lower.replace(/[^a-z0-9.-]/gu, '-').slice(0, MAX_DNS_SEGMENT)
  if (/^[a-z0-9._~-]*$/.test(lower)) return lower
  return encodeURIComponent(lower)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The problem of a path that must begin with the namespace of its service, and does not. */
export function outOfScope (path: string, namespace: string): TemplateProblem {
  const first = `/${encodeSegment(namespace)}/`
  const what = `the path ${path} is outside ${first}: in this cluster, paths begin with the namespace of the service`
  const remedy = `begin the template with ${first}, for example: ${first}{.metadata.name}`
  return { code: 'AIM-PATH-SCOPE', what, remedy }
}

/** The problem of a segment that the Gateway API refuses, or that a lenient server resolves to another path. */
export function segmentProblem (segment: string): TemplateProblem | undefined {
  const why = !segment.isWellFormed()
    ? 'contains half of a surrogate pair, which a URL cannot hold'
    : hidesDotSegment(segment) ? 'is or hides "." or "..", which leads to another path' : undefined
  if (why === undefined) return undefined
  return {
    code: 'AIM-PATH-SEGMENT-INVALID',
    what: `the path segment "${printable(segment, 40)}" ${why}`,
    remedy: 'use other text or another value there'
  }
}

/** Whether a server that decodes twice and splits at encoded slashes and backslashes finds a dot segment. */
function hidesDotSegment (segment: string): boolean {
  if (!segment.includes('.') && !segment.includes('%')) return false
  const decoded = segment.includes('%') ? decodeAscii(decodeAscii(segment)) : segment
  return decoded.split(/[/\\]/).some((part) => part === '.' || part === '..')
}

function decodeAscii (text: string): string {
  return text.replace(/%([0-7][\da-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
