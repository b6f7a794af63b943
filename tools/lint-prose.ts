// `npm run check:prose [FILES]`: lints comments, messages, test names, and Markdown by the rules of prose.json.
import { globSync } from 'node:fs'
import path from 'node:path'
import settings from '../prose.json' with { type: 'json' }
import { proseProblems } from './prose.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

const given = process.argv.slice(2)
const all = globSync(settings.files, { cwd: ROOT, exclude: ['node_modules', ...Object.keys(settings.excluded)] })
const files = given.length > 0 ? given : all.sort()
const problems = await proseProblems(files, ROOT)
for (const { file, line, rule, problem } of problems) process.stdout.write(`${file}:${line} ${rule}: ${problem}\n`)
process.stdout.write(`prose: ${files.length} files, ${problems.length} problems\n`)
if (problems.length > 0) process.exitCode = 1
