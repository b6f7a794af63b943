import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import canonicalize from 'canonicalize'
import type { JsonObject } from '../../platform/json.ts'

/** The one JSON text of a spec. Source: RFC 8785. */
export function canonicalJson (spec: JsonObject): string {
  return canonicalize(spec) ?? ''
}

/** `sha256:` and the hex SHA-256 of a spec's canonical JSON. */
export function configHash (canonical: string): string {
  const digits = Array.from(sha256(utf8ToBytes(canonical)), (byte) => byte.toString(16).padStart(2, '0'))
  // joined, not added: a sum keeps each of its parts, twenty times the bytes of this text
  return ['sha256:', ...digits].join('')
}
