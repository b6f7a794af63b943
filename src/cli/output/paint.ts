import { styleText } from 'node:util'

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** Text in a colour or weight. */
export type Paint = (style: Style, text: string) => string

/** Paints, or leaves all text as it is. */
export function painter (colour: boolean): Paint {
  return (style, text) => colour ? styleText(style, text, { validateStream: false }) : text
}

type PaintCell = (text: string, at: { readonly row: number, readonly column: number }) => string

/**
 * Rows of cells, each column as wide as its widest cell; the last column is not padded. Widths are counted before
 * painting.
 */
export function table (rows: readonly (readonly string[])[], paintCell: PaintCell = (text) => text): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, column) => { widths[column] = Math.max(widths[column] ?? 0, cell.length) })
  return rows.map((cells, row) => cells.map((cell, column) => {
    const padding = column === cells.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - cell.length)
    return paintCell(cell, { row, column }) + padding
  }).join('  ').trimEnd() + '\n').join('')
}
