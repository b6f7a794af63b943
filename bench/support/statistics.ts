/** Median; for an even count the mean of the middle two. NaN without values. */
export function median (values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}

/** Median over the rounds of the cost divided by the cost of the floor in the same round. */
export function medianRatio (costs: readonly number[], floor: readonly number[]): number {
  return median(costs.map((cost, round) => cost / (floor[round] ?? NaN)))
}

/** Nearest-rank percentile; `share` is from 0 to 1. NaN without values. */
export function percentile (values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** Slope of the least-squares line through points. */
export function slope (points: ReadonlyArray<readonly [x: number, y: number]>): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}
