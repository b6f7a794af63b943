import { isJsonObject, own, ownObject, ownString } from '../../platform/json.ts'
import { objectTitle } from '../../offline/local-object.ts'
import { diagnosticsOf, type ReviewedObject } from '../../offline/diagnostics.ts'
import { painter, type Paint } from './paint.ts'
import { placeText } from '../read-input.ts'

/** For people: each object with what became of it and why, and a sum at the end. */
export function toReport (reviewed: readonly ReviewedObject[], { colour }: { readonly colour: boolean }): string {
  const paint = painter(colour)
  return `${reviewed.map((outcome) => section(outcome, paint)).join('')}\n${sum(reviewed, paint)}\n`
}

function section (outcome: ReviewedObject, paint: Paint): string {
  const { given, faults, warnings } = outcome
  const [mark, style, verdict] = faults.length > 0
    ? ['✗', 'red', 'refused'] as const
    : warnings.length > 0 ? ['!', 'yellow', 'admitted, with a warning'] as const : ['✓', 'green', 'admitted'] as const
  const title = `${paint(style, mark)} ${paint('bold', objectTitle(given))} ${paint(style, verdict)} ${paint('dim', placeText(given.file, given.position))}\n`
  const findings = diagnosticsOf(outcome).map(({ level, field, message, file, position, code }) => level === 'error'
    ? `    ${paint('cyan', placeText(file, position))} ${paint('bold', field)}: ${message} ${paint('dim', `(${code})`)}\n`
    : `    ${paint('cyan', placeText(file, position))} ${paint('yellow', 'warning:')} ${message}\n`)
  return [title, ...findings, ...(faults.length > 0 ? [] : injected(outcome, paint))].join('')
}

/** What a service gets from admission, in a line. */
function injected ({ object }: ReviewedObject, paint: Paint): string[] {
  const block = own(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
  if (!isJsonObject(block)) return []
  const namespace = ownString(block, 'namespace')
  const config = `${ownString(block, 'kind')} ${namespace === '' ? '' : `${namespace}/`}${ownString(block, 'name')}`
  const path = ownString(ownObject(block, 'routing'), 'path')
  return [paint('dim', `    settings of ${config}${path === '' ? '' : `, served at ${path}`}`) + '\n']
}

function sum (reviewed: readonly ReviewedObject[], paint: Paint): string {
  const refused = reviewed.filter(({ faults }) => faults.length > 0).length
  const warned = reviewed.filter(({ faults, warnings }) => faults.length === 0 && warnings.length > 0).length
  const counts = [
    ...(refused > 0 ? [paint('red', `${refused} refused`)] : []),
    ...(warned > 0 ? [paint('yellow', `${warned} admitted with a warning`)] : []),
    paint('green', `${reviewed.length - refused - warned} admitted`)
  ]
  return `${reviewed.length} ${reviewed.length === 1 ? 'object' : 'objects'}: ${counts.join(', ')}`
}
