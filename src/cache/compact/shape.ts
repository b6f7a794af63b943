/** A JSON text in two: many objects have one shape. */
export interface ShapedJson {
  /** The text without its values. */
  readonly shape: string
  /** Their texts, in turn. */
  readonly values: string
}

/**
 * Stands in the shape where a value is missing, and between two values: no JSON text holds it, since strings escape it.
 */
const MARK = '\0'

/** Objects and lists below this depth are values as a whole. */
const MAX_DEPTH = 16

/**
 * Takes the JSON text of a value apart. Fields that are undefined are left out, as JSON.stringify does; else it is what
 * JSON.parse yields.
 */
export function toShape (value: unknown): ShapedJson {
  const values: string[] = []
  return { shape: shapeOf(value, values, 0), values: values.join(MARK) }
}

/** Puts the text together again. */
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
  let shape = ''
  if (Array.isArray(value)) {
    for (const item of value) shape += (shape === '' ? '' : ',') + shapeOf(item, values, depth + 1)
    return `[${shape}]`
  }
  for (const key of Object.keys(value)) {
    const field = (value as Readonly<Record<string, unknown>>)[key] // an own key
    if (field !== undefined) { shape += `${shape === '' ? '' : ','}${JSON.stringify(key)}:${shapeOf(field, values, depth + 1)}` }
  }
  return `{${shape}}`
}
