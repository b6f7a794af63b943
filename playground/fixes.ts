import { isMap, isScalar, parseDocument, Scalar, type Document } from 'yaml'
import { KINDS } from '../src/api/kinds.ts'
import { fieldSteps, type Position } from '../src/offline/read-manifests.ts'
import { similarName } from '../src/platform/similar-name.ts'
import type { Remark } from './examine.ts'

/** A change of the YAML that removes the cause of a message. */
export interface Fix {
  /** `Set label team`. */
  readonly title: string
  /** The whole text with the change. */
  readonly text: string
}

interface Edit { readonly title: string, readonly apply: () => void }

/** An object of a text, by the steps of a field. */
interface Edited { readonly document: Document, readonly steps: readonly string[] }

type Rule = readonly [message: RegExp, edit: (edited: Edited, groups: readonly string[]) => Edit | undefined]

/** The first rule that matches `CODE FIELD: MESSAGE` counts. */
const RULES: readonly Rule[] = [
  [/^AIM-PATH-FIELD-MISSING metadata\.(label|annotation)s\[(.+?)\]: .*\(did you mean "(.+?)"\?\)/,
    ({ document }, [kind = '', key = '', similar = '']) => rename(document, ['metadata', `${kind}s`, similar], key)],
  [/^AIM-PATH-FIELD-MISSING metadata\.(label|annotation)s\[(.+?)\]/, ({ document }, [kind = '', key = '']) =>
    set(document, ['metadata', `${kind}s`, key], { to: 'example', title: `Set ${kind} ${key}` })],
  [/^AIM-PATH-CONFLICT /, ({ document }) => set(document, ['spec', 'routing', 'pathTemplate'], {
    to: '/{.metadata.namespace}/{.metadata.name}', title: 'Give it a path of its own'
  })],
  [/ does not start with a slash.*; write (.+)$/, ({ document }, [template = '']) =>
    set(document, ['spec', 'routing', 'pathTemplate'], { to: template, title: 'Add the slash' })],
  [/runtime configuration ".*?" is missing \(did you mean "(.+?)"\?\)/, ({ document }, [name = '']) =>
    set(document, ['spec', 'runtimeConfigName'], { to: name, title: `Use ${name}` })],
  [/ spec\.resolvedRuntimeConfig is written by admission only/, ({ document }) =>
    remove(document, ['spec', 'resolvedRuntimeConfig'])],
  [/ credentials belong in an AIMRuntimeConfig/, ({ document, steps }) => remove(document, steps)],
  [/: unknown field(?: \(did you mean "(.+?)"\?\))?$/, ({ document, steps }, [known]) =>
    known === undefined ? remove(document, steps) : rename(document, steps, known)],
  [/: Unsupported value: "(.*?)": supported values: (.+)$/, ({ document, steps }, [value = '', values = '']) => {
    const all = [...values.matchAll(/"(.*?)"/g)].map(([, each = '']) => each)
    const to = similarName(value, all) ?? all[0] ?? ''
    return set(document, steps, { to, title: `Write ${to}` })
  }],
  [/: must be of type (?:integer|boolean|number)$/, ({ document, steps }) => {
    const value = document.getIn(steps)
    const isOne = typeof value === 'string' && /^(?:-?\d+|true|false)$/.test(value)
    if (!isOne) return undefined
    return set(document, steps, { to: value, title: `Write ${value} without quotes`, style: 'PLAIN' })
  }],
  [/: must be of type string$/, ({ document, steps }) => {
    const value = document.getIn(steps)
    return typeof value === 'string'
      ? set(document, steps, { to: value, title: `Write "${value}" in quotes`, style: 'QUOTE_DOUBLE' })
      : undefined
  }],
  [/ spec\.model: (?:Required value|Invalid value: exactly one)/, ({ document }) =>
    document.hasIn(['spec', 'model', 'image']) && document.hasIn(['spec', 'model', 'ref'])
      ? remove(document, ['spec', 'model', 'image'])
      : set(document, ['spec', 'model', 'ref'], { to: 'my-model', title: 'Name a model' })],
  [/ metadata\.name: Invalid value: "(.*?)": should match/, ({ document }, [name = '']) => {
    const to = name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '')
    return to === '' ? undefined : set(document, ['metadata', 'name'], { to, title: `Write ${to}` })
  }],
  [/ metadata\.name: the files define an object of this kind and name already/, ({ document }) => {
    const to = `${String(document.getIn(['metadata', 'name']))}-2`
    return set(document, ['metadata', 'name'], { to, title: `Rename it ${to}` })
  }]
]

/** The fix of a message in a text; undefined if its remedy is not a change of one field. */
export function fixOf (remark: Remark, text: string): Fix | undefined {
  if (/^\s*[{[]/.test(text)) return undefined // JSON
  const [start, end] = documentAround(text, remark.position)
  const written = text.slice(start, end)
  // scalars stay texts, so that a change of one field keeps the others as written
  const document = parseDocument(written, { schema: 'failsafe', resolveKnownTags: false })
  if (document.errors.length > 0 || !KINDS.some(({ kind }) => kind === document.get('kind'))) return undefined
  const edit = editOf(remark, { document, steps: fieldSteps(remark.field) })
  edit?.apply()
  return edit && { title: edit.title, text: text.slice(0, start) + asWritten(document, written) + text.slice(end) }
}

function editOf (remark: Remark, edited: Edited): Edit | undefined {
  const message = `${remark.code} ${remark.field}: ${remark.message}`.replace(/^(\S+) : /, '$1 ')
  for (const [pattern, edit] of RULES) {
    const groups = pattern.exec(message)
    if (groups !== null) return edit(edited, groups.slice(1))
  }
  return undefined
}

/** The document of a position, without the separators around it. */
function documentAround (text: string, { line, column }: Position): [start: number, end: number] {
  const above = text.split('\n', line - 1)
  const offset = above.reduce((sum, each) => sum + each.length + 1, column - 1)
  const separator = text.lastIndexOf('\n---', offset)
  const start = separator === -1 ? /^(?:---.*\n)?/.exec(text)?.[0].length ?? 0 : text.indexOf('\n', separator + 1) + 1
  const end = text.indexOf('\n---', offset)
  return [start, end === -1 ? text.length : end + 1]
}

/** The document in the style of its text. */
function asWritten (document: Document, written: string): string {
  const indentSeq = !/^( *)[^\s#-].*:[^\S\n]*\n\1- /m.test(written)
  const changed = document.toString({ lineWidth: 0, indentSeq, flowCollectionPadding: /\{ /.test(written) })
  return changed.trimEnd() + (/\s*$/.exec(written)?.[0] ?? '')
}

interface Value { readonly to: string, readonly title: string, readonly style?: 'PLAIN' | 'QUOTE_DOUBLE' }

function set (document: Document, steps: readonly string[], { to, title, style }: Value): Edit {
  return {
    title,
    apply: () => {
      const before = document.getIn(steps, true)
      const value = isScalar(before) ? before : new Scalar('') // keeps the comment
      value.value = to
      value.type = style ?? (/^[\w./-]+$/.test(to) ? 'PLAIN' : 'QUOTE_DOUBLE')
      document.setIn(steps, value)
    }
  }
}

function remove (document: Document, steps: readonly string[]): Edit {
  return { title: `Remove ${steps.at(-1) ?? ''}`, apply: () => { document.deleteIn(steps) } }
}

function rename (document: Document, steps: readonly string[], to: string): Edit {
  return {
    title: `Rename ${steps.at(-1) ?? ''} to ${to}`,
    apply: () => {
      const map = document.getIn(steps.slice(0, -1))
      const pair = isMap(map) ? map.items.find(({ key }) => isScalar(key) && key.value === steps.at(-1)) : undefined
      if (pair !== undefined && isScalar(pair.key)) pair.key.value = to
    }
  }
}
