import { parser } from '@prometheus-io/lezer-promql'
import type { SyntaxNode } from '@lezer/common'

/** One metric that an expression asks for, and the labels that it matches it by. */
export interface Asked {
  readonly metric: string
  readonly labels: ReadonlyArray<{ readonly name: string; readonly values: readonly string[] }>
}

/**
 * Every metric that a PromQL expression asks for, and the labels that it groups by. Throws where the expression cannot
 * be read.
 */
export function readExpression (expression: string): { readonly asked: readonly Asked[], readonly grouped: readonly string[] } {
  const text = expression.replaceAll('$__rate_interval', '5m') // Grafana's own word, put in before Prometheus sees it
  const asked: Asked[] = []
  const grouped: string[] = []
  const textOf = (node: SyntaxNode | null): string => node === null ? '' : text.slice(node.from, node.to)
  parser.parse(text).iterate({
    enter: ({ node }) => {
      if (node.type.isError) throw new Error(`cannot be read at ${node.from}: ${expression}`)
      if (node.name === 'VectorSelector') {
        const matchers = [...node.getChildren('LabelMatchers')].flatMap((list) =>
          list.getChildren('UnquotedLabelMatcher')
        )
        asked.push({
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
  return { asked, grouped }
}

/** The values of a matcher that names one or some, and none where it says anything else. */
function valuesOf (matcher: string): string[] {
  const [, value] = /=~?"([\w|-]+)"$/.exec(matcher) ?? []
  return value?.split('|') ?? []
}

/**
 * The labels that each metric is served with, and their values; a metric without a sample has none yet. Reads the text
 * format of Prometheus.
 */
export function readMetrics (page: string): Map<string, Map<string, Set<string>>> {
  const metrics = new Map<string, Map<string, Set<string>>>()
  for (const [, name = '', labels = ''] of page.matchAll(/^(?:# TYPE )?([a-z_]+)(?:\{(.*)\})? /gm)) {
    const known = entry(metrics, name, new Map<string, Set<string>>())
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) { entry(known, label, new Set<string>()).add(value) }
  }
  return metrics
}

function entry<V> (map: Map<string, V>, key: string, fresh: V): V {
  const value = map.get(key) ?? fresh
  map.set(key, value)
  return value
}
