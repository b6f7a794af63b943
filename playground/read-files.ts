import { parseAllDocuments, stringify } from 'yaml'
import { isJsonObject, own } from '../src/platform/json.ts'
import type { Texts } from './examine.ts'

/** Objects of files, each in the editor of its kind. */
export interface Sorted { readonly texts: Texts, readonly configs: number, readonly services: number }

/** Other kinds are skipped. A file that cannot be read stays whole, so that its error shows. */
export function textsOf (files: readonly string[]): Sorted {
  const documents = files.flatMap(documentsOf)
  const ofKind = (pattern: RegExp): string[] =>
    documents.filter(({ kind }) => pattern.test(kind)).map(({ text }) => text)
  const [configs, services] = [ofKind(/^AIM(?:Cluster)?RuntimeConfig$/), ofKind(/^(?:AIMService|unreadable)$/)]
  return {
    texts: { configs: configs.join('---\n'), services: services.join('---\n') },
    configs: configs.length,
    services: services.length
  }
}

interface Sortable { readonly kind: string, readonly text: string }

/** Documents as written; those of JSON and the items of a List as YAML. */
function documentsOf (file: string): Sortable[] {
  const documents = parseAllDocuments(file)
  if (documents.some(({ errors }) => errors.length > 0)) {
    return /^\s*"?kind"?: *"?AIM/m.test(file) ? [{ kind: 'unreadable', text: `${file.trimEnd()}\n` }] : []
  }
  return documents.flatMap((document) => {
    const value: unknown = document.toJS()
    if (!isJsonObject(value)) return []
    const items = own(value, 'items')
    if (Array.isArray(items)) return items.map(asYaml)
    const written = file.slice(document.range[0], document.range[1]).replace(/^(?:---)?\n*/, '').trimEnd()
    return written.startsWith('{') ? asYaml(value) : { kind: String(value['kind']), text: `${written}\n` }
  })
}

function asYaml (value: unknown): Sortable {
  const kind = isJsonObject(value) ? String(value['kind']) : ''
  return { kind, text: stringify(value, { indentSeq: false, lineWidth: 0 }) }
}
