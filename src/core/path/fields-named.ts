import { compilePathTemplate } from './template.ts'
import type { Step } from './step.ts'

/** Every field, label and annotation that an expression of a template names; none of a template that cannot be read. */
export function fieldsNamed (template: string): string[] {
  const compiled = compilePathTemplate(template)
  if (compiled.kind === 'invalid') return []
  return compiled.parts.flatMap((part) =>
    typeof part === 'string' ? [] : [...part.path.map(String), ...part.steps.flatMap(namesIn)]
  )
}

function namesIn (step: Step): string[] {
  switch (step.kind) {
    case 'field': return [step.name]
    case 'union': return step.members.flatMap(namesIn)
    case 'filter': return [...step.left, ...step.comparison?.right ?? []].flatMap(namesIn)
    default: return []
  }
}
