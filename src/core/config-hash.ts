import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import canonicalize from 'canonicalize'
import type { JsonObject } from '../api/meta.ts'

/** The one JSON text of a spec. Source: RFC 8785. */
export function canonicalJson (spec: JsonObject): string {
  return canonicalize(spec) ?? ''
}

/** `sha256:` and the hex SHA-256 of a spec's canonical JSON. */
export function configHash (canonical: string): string {
  return `sha256:${bytesToHex(sha256(utf8ToBytes(canonical)))}`
}
