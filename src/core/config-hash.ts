import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import canonicalize from 'canonicalize'
import type { JsonObject } from '../api/meta.ts'

/** `sha256:` and the hex SHA-256 of the spec's canonical JSON. Source: RFC 8785. */
export function configHash (spec: JsonObject): string {
  return `sha256:${bytesToHex(sha256(utf8ToBytes(canonicalize(spec) ?? '')))}`
}
