/**
 * Whether texts and values within the value come to at most so many characters. Iterative, and done at the first that
 * is too much.
 */
export function fitsWithin (value: unknown, limit: number): boolean {
  const left: unknown[] = [value]
  let weight = 0
  while (left.length > 0) {
    const item = left.pop()
    weight += typeof item === 'string' ? item.length : VALUE_WEIGHT
    if (typeof item === 'object' && item !== null) {
      const keys = Object.keys(item)
      if (weight + keys.length * VALUE_WEIGHT > limit) return false
      for (const key of keys) {
        weight += key.length
        left.push((item as Readonly<Record<string, unknown>>)[key]) // an object or a list, by its own keys
      }
    }
    if (weight > limit) return false
  }
  return true
}

/** What a value takes besides its text. */
const VALUE_WEIGHT = 8
