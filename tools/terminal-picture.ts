const COLUMNS = 100
const [CHARACTER_WIDTH, LINE_HEIGHT, MARGIN, BAR] = [8.4, 19, 18, 34]
/** Contrast of at least 4.5 on the background. */
const COLORS: Readonly<Record<string, string>> = {
  31: 'fill="#ff7b72"',
  32: 'fill="#56d364"',
  33: 'fill="#e3b341"',
  36: 'fill="#76e3ea"',
  1: 'font-weight="bold"',
  2: 'fill="#9198a1"'
}
/** Ends of the styles above. */
const ENDS: ReadonlySet<string> = new Set(['22', '39'])

/** An SVG of a terminal with 100 columns. Throws at a control sequence that is not a style of this program. */
export function terminalPicture (title: string, output: string): string {
  const lines = output.trimEnd().split('\n').flatMap(rowsOf)
  const [width, height] = [COLUMNS * CHARACTER_WIDTH + 2 * MARGIN, lines.length * LINE_HEIGHT + BAR + MARGIN]
  const buttons = ['#ff5f57', '#febc2e', '#28c840'].map((fill, at) =>
    `<circle cx="${MARGIN + 6 + at * 20}" cy="17" r="6" fill="${fill}"/>`).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#16181d"/>${buttons}
<g fill="#e6e8ec" font-size="14" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">
${lines.map((pieces, at) => textOf(pieces, BAR + 14 + at * LINE_HEIGHT)).join('')}</g>
</svg>
`
}

/** Text in one style: the codes of its sequences. */
interface Piece { readonly text: string, readonly styles: readonly string[] }

/** Throws at an unknown control sequence. */
function piecesOf (line: string): Piece[] {
  let styles: string[] = []
  // eslint-disable-next-line no-control-regex
  return [...line.matchAll(/\u001B\[(\d+)m|[^\u001B]+|\u001B/g)].flatMap(([text, code]) => {
    if (code === undefined && !text.startsWith('\u001B')) return { text, styles }
    if (code === undefined || !(ENDS.has(code) || code in COLORS)) {
      throw new Error(`unknown control sequence in ${JSON.stringify(line)}`)
    }
    styles = ENDS.has(code) ? [] : [...styles, code]
    return []
  })
}

/** A line, wrapped behind words where it can. */
function rowsOf (line: string): Piece[][] {
  const rows: Piece[][] = [[]]
  let room = COLUMNS
  for (const { text, styles } of piecesOf(line)) {
    for (let rest = text; rest !== '';) {
      const part = fitting(rest, room)
      rows.at(-1)?.push({ text: part, styles })
      rest = rest.slice(part.length)
      room -= part.length
      if (rest !== '') {
        rows.push([])
        room = COLUMNS
      }
    }
  }
  return rows
}

/** As much of the text as fits, up to a word if it can. */
function fitting (text: string, room: number): string {
  const space = text.length > room ? text.lastIndexOf(' ', room - 1) + 1 : 0
  return text.slice(0, space > 0 ? space : room)
}

/** The length is fixed, so that columns align in every font. */
function textOf (pieces: readonly Piece[], y: number): string {
  const length = pieces.reduce((sum, { text }) => sum + text.length, 0)
  if (length === 0) return ''
  const spans = pieces.map(({ text, styles }) => {
    const attributes = styles.map((style) => ` ${COLORS[style] ?? ''}`).join('')
    return attributes === '' ? escaped(text) : `<tspan${attributes}>${escaped(text)}</tspan>`
  })
  const width = (length * CHARACTER_WIDTH).toFixed(1)
  return `<text x="${MARGIN}" y="${y}" textLength="${width}" xml:space="preserve">${spans.join('')}</text>\n`
}

export function escaped (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
