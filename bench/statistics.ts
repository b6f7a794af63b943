/** The middle of some numbers; of an even count the mean of the middle two. NaN where there is none. */
export function median (values: readonly number[]): number {
  return (quantile(values, 0.5, Math.floor) + quantile(values, 0.5, Math.ceil)) / 2
}

/** The nearest-rank percentile of some numbers, `share` from 0 to 1. NaN where there is none. */
export function percentile (values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** The slope of a line through points, by least squares. */
export function slope (points: ReadonlyArray<readonly [x: number, y: number]>): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}

function quantile (values: readonly number[], share: number, round: (at: number) => number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[round(share * (sorted.length - 1))] ?? NaN
}
