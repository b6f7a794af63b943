// `npm run check:prose [FILES]`: the language of comments, messages, test names and Markdown. prose.json has the rules.
import { globSync } from 'node:fs'
import path from 'node:path'
import settings from '../prose.json' with { type: 'json' }
import { proseProblems } from './prose.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

const given = process.argv.slice(2)
const files = given.length > 0 ? given : globSync(settings.files, { cwd: ROOT, exclude: ['node_modules', ...Object.keys(settings.excluded)] }).sort()
const problems = await proseProblems(files, ROOT)
for (const { file, line, rule, problem } of problems) process.stdout.write(`${file}:${line} ${rule}: ${problem}\n`)
process.stdout.write(`${files.length} files, ${problems.length} problems of prose\n`)
if (problems.length > 0) process.exitCode = 1
