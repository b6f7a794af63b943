import { printable } from '../../platform/printable.ts'
import type { TemplateProblem } from './problem.ts'

/** Longest rendered path, in characters after encoding. */
export const MAX_PATH_LENGTH = 200

/**
 * A segment as in a URL: in locale-free lower case, then percent-encoded in UTF-8 with capital hex digits, except
 * RFC 3986's unreserved characters. The Unicode form stays: composed and decomposed letters differ.
 */
export function encodeSegment (segment: string): string {
  const lower = segment.toLowerCase()
  if (/^[a-z0-9._~-]*$/.test(lower)) return lower
  return encodeURIComponent(lower).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )
}

/** The path of a service that must begin with its namespace, and does not. */
export function outOfScope (
  path: string, namespace: string
): { readonly kind: 'invalid', readonly problems: readonly [TemplateProblem] } {
  const first = `/${encodeSegment(namespace)}/`
  return {
    kind: 'invalid',
    problems: [{
      code: 'AIM-PATH-SCOPE',
      what: `the path ${path} is outside ${first}: in this cluster, paths begin with the namespace of the service`,
      remedy: `begin the template with ${first}, for example: ${first}{.metadata.name}`
    }]
  }
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
