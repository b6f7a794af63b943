import { isAlias, isMap, isNode, isScalar, isSeq, type Document, type Node } from 'yaml'

/**
 * Where a field stands in a document, in UTF-16 code units: a scalar itself, anything else by its key. A field that is
 * not there is given the place of the nearest one above it that is. `steps` lead to it from the root of the document;
 * list indexes are in digits.
 */
export function fieldOffset (document: Document, steps: readonly string[]): number {
  let at = document.contents
  let offset = startOf(at) ?? 0
  for (const step of steps) {
    const below = child(resolved(at, document), step)
    if (below === undefined) break
    at = below.value
    offset = (isScalar(at) || below.key === undefined ? startOf(at) : undefined) ?? startOf(below.key) ?? offset
  }
  return offset
}

/** The steps of a field path as Kubernetes writes it: `metadata.labels[app.kubernetes.io/name]`, `spec.env[0].name`. */
export function fieldSteps (field: string): string[] {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, inBrackets, plain]) => inBrackets ?? plain ?? '')
}

interface Child { readonly key: Node | undefined, readonly value: Node | null }

function child (node: Node | null | undefined, step: string): Child | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
    return pair === undefined ? undefined : { key: nodeOf(pair.key), value: nodeOf(pair.value) ?? null }
  }
  const item = isSeq(node) ? node.items[Number(step)] : undefined
  return item === undefined ? undefined : { key: undefined, value: nodeOf(item) ?? null }
}

function nodeOf (value: unknown): Node | undefined {
  return isNode(value) ? value : undefined
}

function resolved (node: Node | null, document: Document): Node | null | undefined {
  return isAlias(node) ? node.resolve(document) : node
}

function startOf (node: Node | null | undefined): number | undefined {
  return node?.range?.[0]
}
