import { isMap, isScalar, parseAllDocuments, Scalar, type Document } from 'yaml'
import { KINDS, type Kind } from '../src/api/kinds.ts'
import { fieldSteps } from '../src/offline/read-manifests.ts'
import { similarName } from '../src/platform/similar-name.ts'
import type { Remark } from './examine.ts'
import { fieldsAt } from './schema-hints.ts'

/** A change of the YAML that removes the cause of a message. */
export interface Fix {
  /** `Set label team`. */
  readonly title: string
  /** The whole text with the change. */
  readonly text: string
}

interface Edit { readonly title: string, readonly apply: () => void }

/** An object of a text, by the steps of a field. */
interface Edited { readonly document: Document, readonly kind: Kind['kind'], readonly steps: readonly string[] }

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
  [/: unknown field$/, ({ document, kind, steps }) => {
    const known = similarName(steps.at(-1) ?? '', Object.keys(fieldsAt(kind, steps.slice(0, -1))))
    return known === undefined ? remove(document, steps) : rename(document, steps, known)
  }],
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
  const found = documentAt(remark, text)
  if (found === undefined) return undefined
  const message = `${remark.code} ${remark.field}: ${remark.message}`.replace(/^(\S+) : /, '$1 ')
  for (const [pattern, editOf] of RULES) {
    const groups = pattern.exec(message)
    if (groups === null) continue
    const edit = editOf({ ...found, steps: fieldSteps(remark.field) }, groups.slice(1))
    if (edit === undefined) return undefined
    edit.apply()
    return { title: edit.title, text: withDocument(text, found.document) }
  }
  return undefined
}

/** Scalars stay texts, so that a change of one field keeps the others as written. */
function documentAt (
  { position }: Remark, text: string
): { readonly document: Document.Parsed, readonly kind: Kind['kind'] } | undefined {
  if (/^\s*[{[]/.test(text)) return undefined // JSON
  const lines = text.split('\n').slice(0, position.line - 1)
  const offset = lines.reduce((sum, line) => sum + line.length + 1, position.column - 1)
  const document = parseAllDocuments(text, { schema: 'failsafe', resolveKnownTags: false })
    .find(({ range }) => range[0] <= offset && offset <= range[1])
  const kind = KINDS.find((known) => known.kind === document?.get('kind'))?.kind
  return document === undefined || document.errors.length > 0 || kind === undefined ? undefined : { document, kind }
}

function withDocument (text: string, document: Document.Parsed): string {
  const [start, end] = document.range
  const written = text.slice(start, end)
  const [before = ''] = /^(?:---[^\n]*)?\n*/.exec(written) ?? []
  const [after = ''] = /\s*$/.exec(written) ?? []
  document.directives.docStart = null
  const indentSeq = !/^( *)[^\s#-].*:[^\S\n]*\n\1- /m.test(written)
  const changed = document.toString({ lineWidth: 0, indentSeq, flowCollectionPadding: /\{ /.test(written) })
  return text.slice(0, start) + before + changed.trimEnd() + after + text.slice(end)
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
