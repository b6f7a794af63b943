import { parser } from '@prometheus-io/lezer-promql'
import type { SyntaxNode } from '@lezer/common'

/** A metric selector of an expression. */
interface Selector {
  readonly metric: string
  readonly labels: ReadonlyArray<{ readonly name: string; readonly values: readonly string[] }>
}

interface Expression { readonly selectors: readonly Selector[], readonly grouped: readonly string[] }

/** Metric selectors of a PromQL expression, and the labels it groups by. Throws if the expression is invalid. */
export function readExpression (expression: string): Expression {
  const text = expression.replaceAll('$__rate_interval', '5m') // a variable that Grafana replaces
  const selectors: Selector[] = []
  const grouped: string[] = []
  const textOf = (node: SyntaxNode | null): string => node === null ? '' : text.slice(node.from, node.to)
  parser.parse(text).iterate({
    enter: ({ node }) => {
      if (node.type.isError) throw new Error(`invalid at ${node.from}: ${expression}`)
      if (node.name === 'VectorSelector') {
        const matchers = [...node.getChildren('LabelMatchers')].flatMap((list) =>
          list.getChildren('UnquotedLabelMatcher')
        )
        selectors.push({
          metric: textOf(node.getChild('Identifier')),
          labels: matchers.map((matcher) => ({
            name: textOf(matcher.getChild('LabelName')),
            values: valuesOf(textOf(matcher))
          }))
        })
      }
      if (node.name === 'GroupingLabels') grouped.push(...node.getChildren('LabelName').map(textOf))
    }
  })
  return { selectors, grouped }
}

/** Values of a matcher for one or several literals; empty for any other matcher. */
function valuesOf (matcher: string): string[] {
  const [, value] = /=~?"([\w|-]+)"$/.exec(matcher) ?? []
  return value?.split('|') ?? []
}

/** Labels and label values of each metric in the text format of Prometheus; empty for a metric without samples. */
export function readMetrics (page: string): Map<string, Map<string, Set<string>>> {
  const metrics = new Map<string, Map<string, Set<string>>>()
  for (const [, name = '', labels = ''] of page.matchAll(/^(?:# TYPE )?([a-z_]+)(?:\{(.*)\})? /gm)) {
    const known = entry(metrics, name, new Map<string, Set<string>>())
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      entry(known, label, new Set<string>()).add(value)
    }
  }
  return metrics
}

function entry<V> (map: Map<string, V>, key: string, fresh: V): V {
  const value = map.get(key) ?? fresh
  map.set(key, value)
  return value
}
