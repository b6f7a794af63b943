import { JSONPath } from 'jsonpath-plus'
import { jsonKind } from '../../platform/json-kind.ts'
import { isJsonObject } from '../../platform/json.ts'
import type { ComparisonOperator, Filter, Step } from './step.ts'

/** What steps select, in order; `failure` says why they could go no further, and `values` is then what was in hand. */
export interface Selection { readonly values: readonly unknown[], readonly failure?: string }

/**
 * The work that may still be done while one path is rendered: about a microsecond a unit, before the engine has warmed
 * up.
 */
export interface Budget { left: number }

export function newBudget (): Budget {
  return { left: MAX_WORK }
}

/** Thrown where the budget does not suffice; caught where an expression is read. */
export class TooComplex extends Error {}

export function spend (budget: Budget, units: number): void {
  budget.left -= units
  if (budget.left < 0) throw new TooComplex()
}

/** Enough to filter a list of 900 items, or to walk through three services of ordinary size (200 values) with `..`. */
const MAX_WORK = 3_000
/** What jsonpath-plus takes for each value that it enumerates. */
const ENUMERATION_COST = 4
/** How deep `..` may go: several times what a service reaches, and far from where a recursive walk would overflow. */
const MAX_DESCENT = 32

/**
 * Applies the steps one after another as client-go does, oddities included: a failed step ends the expression, a field
 * that is absent selects nothing (kubectl's --allow-missing-template-keys, on by default). Source:
 * k8s.io/client-go/util/jsonpath, jsonpath.go.
 *
 * jsonpath-plus enumerates, and only that: it is handed the two constant paths below, one container at a time, with
 * evaluation off. No key and no text of a template ever reaches it, so there is nothing to escape, and its cache of
 * paths holds two. The other steps are made here, since its indexes, slices, unions and filters do not fail where
 * client-go's fail.
 */
export function select (steps: readonly Step[], start: readonly unknown[], budget: Budget): Selection {
  let selection: Selection = { values: start }
  for (const step of steps) {
    spend(budget, selection.values.length)
    selection = take(step, selection.values, budget)
    if (selection.failure !== undefined) return selection
  }
  return selection
}

function take (step: Step, values: readonly unknown[], budget: Budget): Selection {
  switch (step.kind) {
    case 'field':
      return {
        values: values.flatMap((value) =>
          isJsonObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : []
        )
      }
    case 'index': return takeIndex(step.at, values)
    case 'slice': return takeSlice(step, values, budget)
    case 'wildcard': return { values: values.flatMap((value) => childrenOf(value, budget)) }
    case 'descent':
      return { values: values.flatMap((value) => [value, ...descendantsOf(value, budget)].filter(holdsAnything)) }
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
    if (!Array.isArray(value)) { return { values, failure: `item ${at} is asked of ${jsonKind(value)}, which is not a list` } }
    if (at >= value.length || at < -value.length) { return { values, failure: `item ${at} is asked of a list of ${value.length}` } }
    found.push(value.at(at))
  }
  return { values: found }
}

/** An empty slice ends the step, and the values behind it are not looked at. */
function takeSlice (slice: Slice, values: readonly unknown[], budget: Budget): Selection {
  const found: unknown[] = []
  for (const value of values) {
    if (value === null) continue
    if (!Array.isArray(value)) return { values, failure: `a slice is asked of ${jsonKind(value)}, which is not a list` }
    const [start, end] = [fromFront(slice.start, value.length), fromFront(slice.end ?? value.length, value.length)]
    if (start === end) break
    const failure = sliceFailure({ ...slice, start, end }, value.length)
    if (failure !== undefined) return { values, failure }
    spend(budget, Math.ceil((end - start) / slice.stride))
    for (let at = start; at < end; at += slice.stride) found.push(value[at])
  }
  return { values: found }
}

type Slice = Extract<Step, { kind: 'slice' }>

function sliceFailure ({ start, end, stride }: { start: number, end: number, stride: number }, length: number): string | undefined {
  if (start < 0 || start > end || end > length) return `a slice leaves a list of ${length}, or runs backwards`
  return stride > 0 ? undefined : 'the step of a slice is not above zero'
}

function fromFront (at: number, length: number): number {
  return at < 0 ? at + length : at
}

function takeUnion (members: readonly Step[], values: readonly unknown[], budget: Budget): Selection {
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
    if (!Array.isArray(value)) { return { values, failure: `a filter is asked of ${jsonKind(value)}, which is not a list` } }
    spend(budget, value.length)
    for (const item of value as unknown[]) {
      const verdict = judge(filter, item, budget)
      if (typeof verdict === 'string') return { values, failure: verdict }
      if (verdict) kept.push(item)
    }
  }
  return { values: kept }
}

/**
 * Whether the filter lets the item pass, or why it cannot tell. As in client-go, a failure is no obstacle to existence.
 */
function judge ({ left, comparison }: Filter, item: unknown, budget: Budget): boolean | string {
  const lefts = select(left, [item], budget)
  if (comparison === undefined) return lefts.values.length > 0
  const rights = select(comparison.right, [item], budget)
  return incomparable(lefts) ?? incomparable(rights) ?? compare(comparison.operator, lefts.values[0], rights.values[0])
}

function incomparable ({ values, failure }: Selection): false | string | undefined {
  if (failure !== undefined) return failure
  if (values.length > 1) return 'a filter compares several values at a time'
  return values.length === 0 ? false : undefined
}

/** Numbers compare by value, whole or not; client-go refuses to compare 3 with 2.5. */
function compare (operator: ComparisonOperator, left: unknown, right: unknown): boolean | string {
  if (operator === '==' || operator === '!=') {
    if (!isScalar(left) || typeof left !== typeof right) return mismatch(left, right)
    return (left === right) === (operator === '==')
  }
  if (typeof left === 'number' && typeof right === 'number') return inOrder(operator, left - right)
  if (typeof left === 'string' && typeof right === 'string') { return inOrder(operator, left < right ? -1 : Number(left !== right)) }
  return mismatch(left, right)
}

function inOrder (operator: Exclude<ComparisonOperator, '==' | '!='>, difference: number): boolean {
  switch (operator) {
    case '<': return difference < 0
    case '<=': return difference <= 0
    case '>': return difference > 0
    case '>=': return difference >= 0
  }
}

function isScalar (value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

function mismatch (left: unknown, right: unknown): string {
  return `a filter compares ${jsonKind(left)} with ${jsonKind(right)}`
}

/** The values directly inside; of a string its UTF-8 bytes, as in client-go. */
function childrenOf (value: unknown, budget: Budget): unknown[] {
  if (typeof value === 'string') {
    spend(budget, value.length)
    return Array.from(new TextEncoder().encode(value))
  }
  if (!isContainer(value)) return []
  spend(budget, ENUMERATION_COST * membersOf(value).length)
  return enumerate(value, CHILDREN)
}

/** All values inside, at any depth. The container is measured first, level by level, since jsonpath-plus recurses. */
function descendantsOf (value: unknown, budget: Budget): unknown[] {
  if (!isContainer(value)) return []
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DESCENT) throw new TooComplex()
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

/**
 * An object has to be listed whole before it can be found too large: 20 ms for 100,000 keys, once a rendering, half of
 * what parsing them took.
 */
function membersOf (container: object): readonly unknown[] {
  return Array.isArray(container) ? container : Object.values(container)
}

function holdsAnything (value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : isContainer(value) && membersOf(value).length > 0
}

const CHILDREN = ['$', '*']
const DESCENDANTS = ['$', '..', '*']

function enumerate (container: object, path: string[]): unknown[] {
  // with `wrap` it answers with a list, empty where nothing is found
  return JSONPath({ json: container, path, eval: false, wrap: true }) as unknown[]
}
