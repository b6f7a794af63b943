// `npm run render`: writes the generated files below deploy/, and the generated parts of docs/.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { commandLinePage, referencePage } from './reference-pages.ts'
import { chartFiles, installManifests } from './rendered-files.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

for (const [name, render] of [['fields-and-metrics', referencePage], ['command-line', commandLinePage]] as const) {
  const file = path.join(ROOT, 'docs/reference', `${name}.md`)
  await writeFile(file, await render(await readFile(file, 'utf8')))
}
for (const files of [chartFiles, installManifests]) { // the manifests last: they are made from the chart
  for (const [file, content] of Object.entries(await files())) await writeFile(path.join(ROOT, file), content)
}
