// `npm run render`: writes what is derived below deploy/ and in docs/reference.md, first what the chart takes in, then
// what it yields.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { referencePage } from './reference-page.ts'
import { chartFiles, installManifest } from './rendered-files.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

const reference = path.join(ROOT, 'docs/reference.md')
await writeFile(reference, await referencePage(await readFile(reference, 'utf8')))
for (const [file, content] of Object.entries(await chartFiles())) await writeFile(path.join(ROOT, file), content)
await writeFile(path.join(ROOT, 'deploy/install.yaml'), await installManifest())
