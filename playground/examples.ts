import { parseAllDocuments } from 'yaml'
import type { Texts } from './examine.ts'

export interface Example extends Texts {
  /** The file name without extension: `custom-path`. */
  readonly name: string
}

const FILES: Readonly<Record<string, string>> = import.meta.glob('../deploy/examples/*.yaml', {
  query: '?raw',
  import: 'default',
  eager: true
})

/** The manifests of deploy/examples, sorted by name. */
export const EXAMPLES: readonly Example[] = Object.entries(FILES).map(([file, text]) => ({
  name: file.replace(/^.*\/|\.yaml$/g, ''),
  ...splitByKind(text)
}))

/** Splits a file into the two texts, with documents as written; other kinds are skipped. */
function splitByKind (text: string): Texts {
  const documents = parseAllDocuments(text).map((document) => ({
    kind: String(document.get('kind')),
    text: text.slice(document.range[0], document.range[1]).replace(/^(?:---)?\n*/, '').trimEnd()
  }))
  const ofKind = (pattern: RegExp): string => documents
    .filter(({ kind }) => pattern.test(kind))
    .map((document) => `${document.text}\n`)
    .join('---\n')
  return { configs: ofKind(/RuntimeConfig$/), services: ofKind(/^AIMService$/) }
}
