/** One step of an expression. Each takes the values that the step before it selected, and selects others. */
export type Step =
  | { readonly kind: 'field', readonly name: string }
  | { readonly kind: 'index', readonly at: number }
  | { readonly kind: 'slice', readonly start: number, readonly end: number | undefined, readonly stride: number }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'descent' }
  | { readonly kind: 'union', readonly members: readonly Step[] }
  | Filter
  /** Text in quotes: one value, whatever was selected before. */
  | { readonly kind: 'text', readonly text: string }
  /** A number or truth value: one for each value selected before. */
  | { readonly kind: 'constant', readonly value: number | boolean }

/**
 * Keeps the items of a list for which the comparison holds or, where there is none, for which `left` selects anything.
 */
export interface Filter {
  readonly kind: 'filter'
  readonly left: readonly Step[]
  readonly comparison?: { readonly operator: ComparisonOperator, readonly right: readonly Step[] }
}

export const COMPARISON_OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const
export type ComparisonOperator = typeof COMPARISON_OPERATORS[number]
