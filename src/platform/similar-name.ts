import { distance } from 'fastest-levenshtein'

/** The known name that differs least from a misspelled one, or undefined. Looks at the first names only. */
export function similarName (name: string, known: Iterable<string>): string | undefined {
  const written = name.toLowerCase()
  const near = Iterator.from(known).take(MAX_COMPARED).flatMap((each) => {
    const edits = editsBetween(written, each.toLowerCase())
    return each === name || edits === undefined ? [] : [{ each, edits }]
  })
  return near.toArray().sort((a, b) => a.edits - b.edits)[0]?.each
}

/** ` (did you mean "default"?)` for an inserted remark; empty without a similar name. */
export function didYouMean (name: string, known: Iterable<string>): string {
  const similar = similarName(name, known)
  return similar === undefined ? '' : ` (did you mean "${similar}"?)`
}

/** The first names, as many as fit in `room` characters, and how many more there are; empty without names. */
export function firstNames (names: readonly string[], room: number): string {
  let left = room
  const first = names.filter((name) => (left -= name.length + ', '.length) >= 0)
  const more = names.length - first.length
  const rest = more === 0 ? [] : [first.length === 0 ? String(more) : `and ${more} more`]
  return [first.join(', '), ...rest].join(' ').trimStart()
}

/** This many label keys of 317 characters, the longest, take 4 ms. */
const MAX_COMPARED = 200

/** One edit in three characters, and two swapped letters; undefined for names that differ more. */
function editsBetween (a: string, b: string): number | undefined {
  const allowed = Math.min(3, Math.floor(Math.max(a.length, b.length) / 3))
  if (Math.abs(a.length - b.length) > allowed) return undefined
  const edits = distance(a, b)
  return edits <= allowed || (edits === 2 && letters(a) === letters(b)) ? edits : undefined
}

function letters (text: string): string {
  return Array.from(text).sort().join('')
}
