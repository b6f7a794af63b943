/** A JSON text in two parts, as many objects differ in values only: without its scalar values, and these in order. */
interface ShapedJson { readonly shape: string, readonly values: string }

/** Marks a value in the shape and separates values. JSON texts do not contain it: strings escape it. */
const MARK = '\0'

/** Deeper objects and lists count as values. */
const MAX_DEPTH = 16

/** Splits the JSON text of a value. JSON.stringify is the naive version, and the oracle of the tests. */
export function toShape (value: unknown): ShapedJson {
  const values: string[] = []
  return { shape: shapeOf(value, values, 0), values: values.join(MARK) }
}

/** The JSON text again. */
export function fromShape ({ shape, values }: ShapedJson): string {
  const texts = values.split(MARK)
  let at = 0
  return shape.replaceAll(MARK, () => texts[at++] ?? 'null')
}

function shapeOf (value: unknown, values: string[], depth: number): string {
  if (typeof value !== 'object' || value === null || depth === MAX_DEPTH) {
    values.push(JSON.stringify(value))
    return MARK
  }
  if (Array.isArray(value)) return `[${value.map((item) => shapeOf(item, values, depth + 1)).join(',')}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${shapeOf(field, values, depth + 1)}`).join(',')}}`
}
