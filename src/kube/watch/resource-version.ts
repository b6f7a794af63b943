/**
 * Whether a version is newer than another one of the same kind of object; also true where the two cannot be compared,
 * so that no change is lost. Source: KEP-5504, k8s.io/apimachinery/pkg/util/resourceversion.
 */
export function isNewerVersion (version: string, than: string): boolean {
  if (version === than) return false
  if (!COMPARABLE.test(version) || !COMPARABLE.test(than)) return true
  return version.length === than.length ? version > than : version.length > than.length
}

/** A whole number of any size without leading zeros. */
const COMPARABLE = /^[1-9]\d*$/
