import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { TextlintKernel, type TextlintMessage } from '@textlint/kernel'
import markdown from '@textlint/textlint-plugin-markdown'
import settings from '../prose.json' with { type: 'json' }
import { proseOfMarkdown, proseOfTypeScript, proseOfYaml, type ProseText } from './prose-text.ts'

export interface ProseProblem { readonly file: string, readonly line: number, readonly rule: string, readonly problem: string }

type Rule = Parameters<TextlintKernel['lintText']>[1]['rules'] extends ReadonlyArray<infer R> | undefined ? R : never

const require = createRequire(import.meta.url)
// Neither package has types.
const google = require('@textlint-rule/textlint-rule-preset-google') as { rules: Record<string, Rule['rule']> }
const writeGood = (require('textlint-rule-write-good') as { default: Rule['rule'] }).default

const RULES: readonly Rule[] = [
  ...Object.entries(google.rules).filter(([name]) => !(name in settings.google.off))
    .map(([name, rule]) => ({ ruleId: `google/${name}`, rule, options: true })),
  { ruleId: 'write-good', rule: writeGood, options: Object.fromEntries(settings.writeGood.off.map((check) => [check, false])) }
]

const ALLOWED = [...Object.keys(settings.google.allowed), ...settings.writeGood.allowed].map((term) => new RegExp(`^(?:${term})\\b`, 'i'))

/** Terms of the reject list: also as a part of a name in camelCase, and across the lines of a comment. */
const REJECTED = Object.entries(settings.reject).map(([term, instead]) => ({
  pattern: new RegExp(`(?:\\b|(?-i:(?<=[a-z])(?=[A-Z]))|(?<=_))${term.replaceAll(' ', '[\\s*/#]+')}(?:\\b|(?-i:(?=[A-Z]))|(?=_))`, 'gi'),
  instead
}))

const kernel = new TextlintKernel()

/** Problems of the prose in files, by the rules and the reject list of prose.json. */
export async function proseProblems (files: readonly string[], root: string): Promise<ProseProblem[]> {
  const found: ProseProblem[] = []
  for (const file of files) found.push(...await problemsOf(file, await readFile(path.join(root, file), 'utf8')))
  return found
}

/** Problems of one file, by line. */
export async function problemsOf (file: string, source: string): Promise<ProseProblem[]> {
  const prose = proseOf(file, source)
  const { messages } = await kernel.lintText(prose.text, {
    filePath: `${file}.md`, ext: '.md', plugins: [{ pluginId: 'markdown', plugin: markdown.default }], rules: [...RULES]
  })
  const at = (offset: number): number => source.slice(0, offset).split('\n').length
  return [
    ...rejected(source).map(({ index, problem }) => ({ file, line: at(index), rule: 'reject', problem })),
    ...messages.filter((message) => !isAllowed(message, prose.text)).map(({ index, ruleId, message }) => (
      { file, line: at(prose.sourceOffset(index)), rule: ruleId, problem: `${message.split('\n')[0] ?? ''} (${excerpt(prose.text, index)})` })),
    ...longSentences(prose.text).map(({ index, problem }) => (
      { file, line: at(prose.sourceOffset(index)), rule: 'sentence-length', problem }))
  ].sort((a, b) => a.line - b.line)
}

function proseOf (file: string, source: string): ProseText {
  if (file.endsWith('.ts')) return proseOfTypeScript(source)
  return /\.(?:md|txt)$/.test(file) ? proseOfMarkdown(source) : proseOfYaml(source)
}

interface Found { readonly index: number, readonly problem: string }

function rejected (source: string): Found[] {
  return REJECTED.flatMap(({ pattern, instead }) =>
    Array.from(source.matchAll(pattern), ({ 0: term, index }) => ({ index, problem: `"${term}": use ${instead}` })))
}

function isAllowed ({ index }: TextlintMessage, text: string): boolean {
  return ALLOWED.some((term) => term.test(text.slice(index, index + 40)))
}

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

function longSentences (text: string): Found[] {
  return Array.from(text.matchAll(/[^\n]+/g)).flatMap(({ 0: paragraph, index }) =>
    Array.from(sentences.segment(paragraph)).flatMap(({ segment, index: at }) => {
      const words = segment.match(/[\w'’-]*[A-Za-z][\w'’-]*/g)?.length ?? 0
      const problem = `${words} words, at most ${settings.maxWords} (${segment.slice(0, 60)}…)`
      return words > settings.maxWords ? [{ index: index + at, problem }] : []
    }))
}

function excerpt (text: string, index: number): string {
  return text.slice(Math.max(0, index - 20), index + 30).replaceAll(/\s+/g, ' ').trim()
}
