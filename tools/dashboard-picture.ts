import { escaped } from './terminal-picture.ts'

/** A panel of the JSON model of a Grafana dashboard: what a picture uses of it. */
export interface Panel {
  readonly type: 'row' | 'stat' | 'timeseries'
  readonly title: string
  /** In cells of a grid with 24 columns. */
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string, readonly legendFormat: string }>
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string
      /** In ascending order; the first is without a value. */
      readonly thresholds?: { readonly steps: ReadonlyArray<{ readonly color: string, readonly value: number | null }> }
    }
  }
  readonly options?: { readonly textMode?: 'value_and_name' }
}

/** A line of a panel. */
export interface Series {
  readonly name: string
  /** Time in seconds and value, oldest first. */
  readonly points: ReadonlyArray<readonly [number, number]>
}

/** Times in seconds. */
export interface Range { readonly from: number, readonly to: number, readonly step: number }

interface RangeVector {
  readonly metric: Readonly<Record<string, string>>
  readonly values: ReadonlyArray<readonly [number, string]>
}

/** The series of a panel, as a Prometheus at this URL evaluates its expressions. Rejects if one is refused. */
export async function seriesOf (url: string, { targets = [] }: Panel, { from, to, step }: Range): Promise<Series[]> {
  const all = await Promise.all(targets.map(async ({ expr, legendFormat }) => {
    const query = expr.replaceAll('$__rate_interval', `${4 * step}s`) // as Grafana replaces it
    const parameters = new URLSearchParams({ query, start: `${from}`, end: `${to}`, step: `${step}` })
    const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body: parameters })
    if (!response.ok) throw new Error(`${query}: ${await response.text()}`)
    const { data } = await response.json() as { data: { result: RangeVector[] } } // the HTTP API of Prometheus
    return data.result.map(({ metric, values }) => ({
      name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
      points: values.map(([time, value]) => [time, Number(value)] as const).filter(([, at]) => Number.isFinite(at))
    }))
  }))
  return all.flat().filter(({ points }) => points.length > 0)
}

const [COLUMN, ROW, GAP, TITLE] = [50, 28, 6, 26]
/** Height of a line of a legend, width of a character of it, and most lines. */
const [LEGEND, CHARACTER, MAX_LINES] = [15, 6, 5]
const STATES: Readonly<Record<string, string>> = { green: '#73bf69', red: '#f2495c' }
const COLORS = [
  '#73bf69', '#f2cc0c', '#8ab8ff', '#ff9830', '#ff7383', '#ca95e5', '#5ac8c8', '#c8f2c2', '#ffcb7d', '#c0d8ff'
]

/** An SVG of a dashboard with the series of its panels. */
export function dashboardPicture (
  title: string, panels: ReadonlyArray<{ readonly panel: Panel, readonly series: readonly Series[] }>, range: Range
): string {
  const [width, height] = [24 * COLUMN, Math.max(...panels.map(({ panel: { gridPos: { y, h } } }) => y + h)) * ROW]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + GAP} ${height + GAP}" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#111217"/>
<g fill="#ccccdc" font-size="11" font-family="Inter, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif">
${panels.map(({ panel, series }) => panelOf(panel, series, range)).join('')}</g>
</svg>
`
}

/** What is drawn inside a panel, in pixels. */
interface Frame { readonly width: number, readonly height: number, readonly panel: Panel, readonly range: Range }

function panelOf (panel: Panel, series: readonly Series[], range: Range): string {
  const { type, title, gridPos } = panel
  const [width, height] = [gridPos.w * COLUMN - GAP, gridPos.h * ROW - GAP]
  const heading = text([type === 'row' ? 4 : 8, 17], title, 'font-size="12" font-weight="bold"')
  const at = `<g transform="translate(${gridPos.x * COLUMN + GAP} ${gridPos.y * ROW + GAP})">`
  if (type === 'row') return `${at}${heading}</g>\n`
  const box = `<rect width="${width}" height="${height}" rx="3" fill="#181b1f" stroke="#2e3338"/>`
  const empty = text([width / 2, height / 2 + 8], 'No data', 'text-anchor="middle" fill="#9a9aab"')
  const draw = type === 'stat' ? numbersOf : chartOf
  return `${at}${box}${heading}${series.length === 0 ? empty : draw(series, { width, height, panel, range })}</g>\n`
}

/** The last value of each series, in the color of its threshold. */
function numbersOf (series: readonly Series[], { panel, width, height }: Frame): string {
  const { unit = 'none', thresholds } = panel.fieldConfig?.defaults ?? {}
  const isNamed = series.length > 1 || panel.options?.textMode === 'value_and_name'
  const room = (height - TITLE) / series.length
  return series.map(({ name, points }, at) => {
    const [, value] = points.at(-1) ?? [0, 0]
    const color = thresholds?.steps.findLast((step) => step.value === null || step.value <= value)?.color ?? 'green'
    const [middle, size] = [TITLE + room * (at + 0.5), isNamed ? 20 : 34]
    const [x, anchor] = isNamed ? [width - 10, 'end'] : [width / 2, 'middle']
    const style = `text-anchor="${anchor}" font-size="${size}" font-weight="bold" fill="${STATES[color] ?? color}"`
    return text([x, middle + size / 3], shown(value, unit), style) + (isNamed ? text([10, middle + 4], name) : '')
  }).join('')
}

function chartOf (series: readonly Series[], { panel, width, height, range }: Frame): string {
  const unit = panel.fieldConfig?.defaults.unit ?? 'none'
  const { legend, lines } = legendOf(series, width)
  const [left, right, top, bottom] = [66, width - 10, TITLE + 8, height - 26 - lines * LEGEND]
  const ticks = ticksUpTo(Math.max(...series.flatMap(({ points }) => points.map(([, value]) => value))))
  const highest = ticks.at(-1) ?? 1
  const x = (time: number): number => left + (time - range.from) / (range.to - range.from) * (right - left)
  const y = (value: number): number => bottom - value / highest * (bottom - top)
  const grid = ticks.map((value) => line([left, y(value)], [right, y(value)]) +
    text([left - 6, y(value) + 4], shown(value, unit), 'text-anchor="end"'))
  const times = [0.1, 0.5, 0.9].map((part) => Math.round(range.from + part * (range.to - range.from)))
    .map((time) => line([x(time), top], [x(time), bottom]) +
      text([x(time), bottom + 15], new Date(time * 1_000).toISOString().slice(11, 19), 'text-anchor="middle"'))
  const paths = series.map(({ points }, at) => {
    const path = points.map(([time, value], index) => {
      const [before = -Infinity] = points[index - 1] ?? []
      return `${time - before > 1.5 * range.step ? 'M' : 'L'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`
    }).join('')
    return `<path d="${path}" fill="none" stroke="${colorOf(at)}" stroke-width="1.3" stroke-linecap="round"/>`
  })
  return [...grid, ...times, ...paths].join('') + `<g transform="translate(0 ${bottom + 30})">${legend}</g>`
}

/** Entries one after the other. Throws if they leave no room for the chart. */
function legendOf (series: readonly Series[], width: number): { legend: string, lines: number } {
  let [x, lines] = [10, 1]
  const entries = series.map(({ name }, at) => {
    const length = 16 + name.length * CHARACTER + 10
    if (x > 10 && x + length > width) [x, lines] = [10, lines + 1]
    if (lines > MAX_LINES || length > width) throw new Error(`no room for the legend: ${name}`)
    const y = (lines - 1) * LEGEND
    const entry = `<rect x="${x}" y="${y - 5}" width="11" height="3" fill="${colorOf(at)}"/>${text([x + 15, y], name)}`
    x += length
    return entry
  })
  return { legend: entries.join(''), lines }
}

function colorOf (at: number): string {
  return COLORS[at % COLORS.length] ?? ''
}

/** From 0 on, three to five round numbers, the last not below the highest value. */
function ticksUpTo (highest: number): number[] {
  const rough = (highest > 0 ? highest : 1) / 4
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 2.5, 5].find((factor) => factor * magnitude >= rough) ?? 10) * magnitude
  return Array.from({ length: Math.ceil((highest > 0 ? highest : 1) / step - 1e-9) + 1 }, (_, at) => at * step)
}

/** From the longest to the shortest, in seconds. */
const DURATIONS = [
  [31_557_600, ' years'], [86_400, ' days'], [3_600, ' h'], [60, ' min'], [1, ' s'], [1e-3, ' ms'], [1e-6, ' µs']
] as const

/** A value with the short name of its unit of Grafana. */
function shown (value: number, unit: string): string {
  const [size, suffix] = unit === 's'
    ? DURATIONS.find(([least]) => Math.abs(value) >= least * (1 - 1e-9)) ?? [1, ' s']
    : [1, unit === 'reqps' ? ' req/s' : ''] as const
  return `${Number((value / size).toPrecision(3))}${suffix}`
}

type Place = readonly [x: number, y: number]

function text ([x, y]: Place, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`
}

function line (from: Place, to: Place): string {
  const [start, end] = [from, to].map((place) => place.map((each) => each.toFixed(1)).join(' '))
  return `<path d="M${start}L${end}" stroke="#2a2d33"/>`
}
