// `npm run render`: writes the generated files below deploy/, and the generated parts of docs/ and README.md.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { commandLinePage, fieldsPage, metricsPage, readmePage } from './reference-pages.ts'
import { chartFiles, installManifests } from './rendered-files.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

const pages = {
  'docs/reference/fields.md': fieldsPage,
  'docs/reference/metrics.md': metricsPage,
  'docs/reference/command-line.md': commandLinePage,
  'README.md': readmePage
}
for (const [name, render] of Object.entries(pages)) {
  const file = path.join(ROOT, name)
  await writeFile(file, await render(await readFile(file, 'utf8')))
}
for (const files of [chartFiles, installManifests]) { // the manifests last: they are made from the chart
  for (const [file, content] of Object.entries(await files())) await writeFile(path.join(ROOT, file), content)
}
