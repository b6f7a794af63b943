import { parseAllDocuments } from 'yaml'
import type { Texts } from './texts.ts'

export interface Example extends Texts {
  /** `custom-path`: the name of its file. */
  readonly name: string
}

const FILES: Readonly<Record<string, string>> = import.meta.glob('../deploy/examples/*.yaml', {
  query: '?raw',
  import: 'default',
  eager: true
})

/**
 * The manifests of deploy/examples, each taken apart into the two texts; other kinds are left out. In the order of
 * their names.
 */
export const EXAMPLES: readonly Example[] = Object.entries(FILES).map(([file, text]) => ({
  name: file.replace(/^.*\/|\.yaml$/g, ''),
  ...takenApart(text)
}))

/** Each document goes, as it is written, where its kind belongs. */
export function takenApart (text: string): Texts {
  const documents = parseAllDocuments(text).flatMap((document) => {
    const kind: unknown = document.get('kind')
    return typeof kind === 'string'
      ? [
          {
            kind,
            text: text
              .slice(document.range[0], document.range[1])
              .replace(/^(?:---)?\n*/, '')
              .trimEnd()
          }
        ]
      : []
  })
  const ofKind = (belongs: (kind: string) => boolean): string =>
    documents
      .filter(({ kind }) => belongs(kind))
      .map((document) => `${document.text}\n`)
      .join('---\n')
  return {
    configs: ofKind((kind) => kind.endsWith('RuntimeConfig')),
    services: ofKind((kind) => kind === 'AIMService')
  }
}
