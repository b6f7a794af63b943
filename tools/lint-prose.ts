// `npm run check:prose -- [FILES]`: lints comments, messages, test names, and Markdown by the rules of prose.json.
import { hash } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import settings from '../prose.json' with { type: 'json' }
import { exitAtClosedOutput } from '../src/cli/output/terminal.ts'
import type { ProseProblem } from './prose.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
/** Hashes of files without problems, together with the rules. */
const CACHE = path.join(ROOT, 'node_modules/.cache/prose.json')

exitAtClosedOutput(console.error)

const given = process.argv.slice(2)
const all = globSync(settings.files, { cwd: ROOT, exclude: ['node_modules', ...Object.keys(settings.excluded)] })
const rules = hash('sha256', (
  await contents(['prose.json', 'package-lock.json', 'tools/prose.ts', 'tools/prose-text.ts'])).join('\n'))
const known = new Set(JSON.parse(await readFile(CACHE, 'utf8').catch(() => '[]')) as string[]) // as written below
const clean: string[] = []
let count = 0
for (const file of given.length > 0 ? given : all.sort()) {
  const [source = ''] = await contents([file])
  const key = hash('sha256', JSON.stringify([rules, file, source]))
  const problems = known.has(key) ? [] : await lint(file, source)
  for (const { line, rule, problem } of problems) process.stdout.write(`${file}:${line} ${rule}: ${problem}\n`)
  if (problems.length === 0) clean.push(key)
  count += problems.length
}
if (given.length === 0) {
  await mkdir(path.dirname(CACHE), { recursive: true })
  await writeFile(CACHE, JSON.stringify(clean))
}
if (count > 0) {
  process.stdout.write(`prose: ${count} problems\n`)
  process.exitCode = 1
}

/** Loads textlint only when a file changed. */
async function lint (file: string, source: string): Promise<ProseProblem[]> {
  const { problemsOf } = await import('./prose.ts')
  return await problemsOf(file, source)
}

async function contents (files: readonly string[]): Promise<string[]> {
  return await Promise.all(files.map(async (file) => await readFile(path.resolve(ROOT, file), 'utf8')))
}
