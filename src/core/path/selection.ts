import { JSONPath } from 'jsonpath-plus'
import { isJsonObject, jsonKind } from '../../platform/json.ts'

/** One step of an expression: takes the values that the previous step selected, and selects others. */
export type PathStep =
  | { readonly kind: 'field', readonly name: string }
  | { readonly kind: 'index', readonly at: number }
  | { readonly kind: 'slice', readonly start: number, readonly end: number | undefined, readonly stride: number }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'descent' }
  | { readonly kind: 'union', readonly members: readonly PathStep[] }
  | Filter
  /** Quoted text: one value, regardless of the input. */
  | { readonly kind: 'text', readonly text: string }
  /** A number or boolean: one value for each input value. */
  | { readonly kind: 'constant', readonly value: number | boolean }

/**
 * Keeps the list items for which the comparison holds; without a comparison, those for which `left` selects a value.
 */
export interface Filter {
  readonly kind: 'filter'
  readonly left: readonly PathStep[]
  readonly comparison?: { readonly operator: ComparisonOperator, readonly right: readonly PathStep[] }
}

export const COMPARISON_OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const
type ComparisonOperator = typeof COMPARISON_OPERATORS[number]

/** The selected values, in order. `failure`: why a step failed; `values` is then its input. */
interface Selection { readonly values: readonly unknown[], readonly failure?: string }

/** Work left for rendering one path: a unit is about a microsecond before V8 optimizes. */
export interface Budget { left: number }

export function newBudget (): Budget {
  return { left: MAX_WORK }
}

/** Thrown when the budget is used up; caught where an expression is read. */
export class BudgetExceeded extends Error {}

export function spend (budget: Budget, units: number): void {
  budget.left -= units
  if (budget.left < 0) throw new BudgetExceeded()
}

/** Enough to filter a list of 900 items, or to walk through three ordinary services (200 values) with `..`. */
const MAX_WORK = 3_000
/** Units that jsonpath-plus takes for each value that it enumerates. */
const ENUMERATION_COST = 4
/** Depth limit of `..`: several times the depth of a service, and safe for recursive walks. */
const MAX_DESCENT = 32

/**
 * Applies the steps in order as client-go does, oddities included: a failed step ends the expression, an absent field
 * selects nothing (kubectl's --allow-missing-template-keys, on by default). Source: client-go/util/jsonpath.
 * The library jsonpath-plus only enumerates: it gets the two constant paths below and one container at a time, with
 * evaluation off. No key and no text of a template reaches it. All other steps are made here, because its indexes,
 * slices, unions, and filters do not fail where client-go's fail.
 */
export function select (steps: readonly PathStep[], start: readonly unknown[], budget: Budget): Selection {
  let selection: Selection = { values: start }
  for (const step of steps) {
    spend(budget, selection.values.length)
    selection = take(step, selection.values, budget)
    if (selection.failure !== undefined) return selection
  }
  return selection
}

function take (step: PathStep, values: readonly unknown[], budget: Budget): Selection {
  switch (step.kind) {
    case 'field': return {
      values: values.flatMap((value) =>
        isJsonObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [])
    }
    case 'index': return takeIndex(step.at, values)
    case 'slice': return takeSlice(step, values, budget)
    case 'wildcard': return { values: values.flatMap((value) => childrenOf(value, budget)) }
    case 'descent':
      return { values: values.flatMap((value) => [value, ...descendantsOf(value, budget)].filter(isNotEmpty)) }
    case 'union': return takeUnion(step.members, values, budget)
    case 'filter': return takeFilter(step, values, budget)
    case 'text': return { values: [step.text] }
    case 'constant': return { values: values.map(() => step.value) }
  }
}

function takeIndex (at: number, values: readonly unknown[]): Selection {
  const found: unknown[] = []
  for (const value of values) {
    if (value === null) continue
    if (!Array.isArray(value)) return { values, failure: `an index needs a list, not ${jsonKind(value)}` }
    const isOutside = at >= value.length || at < -value.length
    if (isOutside) return { values, failure: `a list of ${value.length} has no item ${at}` }
    found.push(value.at(at))
  }
  return { values: found }
}

/** An empty slice ends the step, as in client-go: the remaining values are ignored. */
function takeSlice (slice: Slice, values: readonly unknown[], budget: Budget): Selection {
  const found: unknown[] = []
  for (const value of values) {
    if (value === null) continue
    if (!Array.isArray(value)) return { values, failure: `a slice needs a list, not ${jsonKind(value)}` }
    const [start, end] = [fromFront(slice.start, value.length), fromFront(slice.end ?? value.length, value.length)]
    if (start === end) break
    const failure = sliceFailure({ ...slice, start, end }, value.length)
    if (failure !== undefined) return { values, failure }
    spend(budget, Math.ceil((end - start) / slice.stride))
    for (let at = start; at < end; at += slice.stride) found.push(value[at])
  }
  return { values: found }
}

type Slice = Extract<PathStep, { kind: 'slice' }>

function sliceFailure (
  { start, end, stride }: { start: number, end: number, stride: number }, length: number
): string | undefined {
  if (start < 0 || start > end || end > length) {
    return `the slice is out of range for a list of ${length}, or runs backwards`
  }
  return stride > 0 ? undefined : 'the step of a slice must be greater than zero'
}

function fromFront (at: number, length: number): number {
  return at < 0 ? at + length : at
}

function takeUnion (members: readonly PathStep[], values: readonly unknown[], budget: Budget): Selection {
  const found: unknown[] = []
  for (const member of members) {
    const selection = select([member], values, budget)
    if (selection.failure !== undefined) return { values, failure: selection.failure }
    found.push(...selection.values)
  }
  return { values: found }
}

function takeFilter (filter: Filter, values: readonly unknown[], budget: Budget): Selection {
  const kept: unknown[] = []
  for (const value of values) {
    if (!Array.isArray(value)) return { values, failure: `a filter needs a list, not ${jsonKind(value)}` }
    spend(budget, value.length)
    for (const item of value as unknown[]) {
      const result = matches(filter, item, budget)
      if (typeof result === 'string') return { values, failure: result }
      if (result) kept.push(item)
    }
  }
  return { values: kept }
}

/** Whether the item matches, or a failure. As in client-go, a failure does not affect a filter without a comparison. */
function matches ({ left, comparison }: Filter, item: unknown, budget: Budget): boolean | string {
  const lefts = select(left, [item], budget)
  if (comparison === undefined) return lefts.values.length > 0
  const rights = select(comparison.right, [item], budget)
  return incomparable(lefts) ?? incomparable(rights) ?? compare(comparison.operator, lefts.values[0], rights.values[0])
}

function incomparable ({ values, failure }: Selection): false | string | undefined {
  if (failure !== undefined) return failure
  if (values.length > 1) return 'a filter can compare single values only'
  return values.length === 0 ? false : undefined
}

/** Numbers compare by value; client-go refuses to compare 3 with 2.5. */
function compare (operator: ComparisonOperator, left: unknown, right: unknown): boolean | string {
  const isScalar = ['string', 'number', 'bigint', 'boolean'].includes(typeof left)
  const isOrdered = operator !== '==' && operator !== '!='
  if (!isScalar || jsonKind(left) !== jsonKind(right) || (isOrdered && typeof left === 'boolean')) {
    return `a filter cannot compare ${jsonKind(left)} with ${jsonKind(right)}`
  }
  // a bigint never equals a number: a double would lose its digits
  if (!isOrdered) return (left === right) === (operator === '==')
  const [a, b] = [left as string, right as string] // or two numbers, which compare by value
  return a === b ? operator.endsWith('=') : (a < b) === operator.startsWith('<')
}

/** The direct children; for a string its UTF-8 bytes, as in client-go. */
function childrenOf (value: unknown, budget: Budget): unknown[] {
  if (typeof value === 'string') {
    spend(budget, value.length)
    return Array.from(new TextEncoder().encode(value))
  }
  if (!isContainer(value)) return []
  spend(budget, ENUMERATION_COST * membersOf(value).length)
  return enumerate(value, CHILDREN)
}

/** All values at any depth. Measures the container level by level first, because jsonpath-plus recurses. */
function descendantsOf (value: unknown, budget: Budget): unknown[] {
  if (!isContainer(value)) return []
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DESCENT) throw new BudgetExceeded()
    level = level.flatMap((container) => {
      const members = membersOf(container)
      spend(budget, ENUMERATION_COST * members.length)
      return members.filter(isContainer)
    })
  }
  return enumerate(value, DESCENDANTS)
}

function isContainer (value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** An object can be measured only by listing its keys: 20 ms for 100,000 keys, half the time of parsing them. */
function membersOf (container: object): readonly unknown[] {
  return Array.isArray(container) ? container : Object.values(container)
}

function isNotEmpty (value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : isContainer(value) && membersOf(value).length > 0
}

const CHILDREN = ['$', '*']
const DESCENDANTS = ['$', '..', '*']

function enumerate (container: object, path: string[]): unknown[] {
  // `wrap` makes it return a list, empty if nothing matches
  return JSONPath({ json: container, path, eval: false, wrap: true }) as unknown[]
}
