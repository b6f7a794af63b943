import { createRequire } from 'node:module'
import { TextlintKernel, type TextlintKernelRule, type TextlintMessage } from '@textlint/kernel'
import markdown from '@textlint/textlint-plugin-markdown'
import settings from '../prose.json' with { type: 'json' }
import { proseOfMarkdown, proseOfTypeScript, proseOfYaml, type ProseText } from './prose-text.ts'

export interface ProseProblem {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly problem: string
}

// Packages without types.
const require = createRequire(import.meta.url)
type RuleModule = TextlintKernelRule['rule']
const google = require('@textlint-rule/textlint-rule-preset-google') as { readonly rules: Record<string, RuleModule> }
const writeGood = require('textlint-rule-write-good') as { readonly default: RuleModule }

const RULES: readonly TextlintKernelRule[] = [
  ...Object.entries(google.rules)
    .filter(([name]) => !(name in settings.google.off))
    .map(([name, rule]) => ({ ruleId: `google/${name}`, rule, options: true })),
  {
    ruleId: 'write-good',
    rule: writeGood.default,
    options: Object.fromEntries(settings.writeGood.off.map((check) => [check, false]))
  }
]

const ALLOWED = [...Object.keys(settings.google.allowed), ...settings.writeGood.allowed]
  .map((term) => new RegExp(`^(?:${term})\\b`, 'i'))

/** Edges of a word, also of one within a name in camelCase or with underscores. */
const [START, END] = ['(?:\\b|(?-i:(?<=[a-z])(?=[A-Z]))|(?<=_))', '(?:\\b|(?-i:(?=[A-Z]))|(?=_))']
/** A term may continue on the next line of a comment. */
const REJECTED = Object.entries(settings.reject).map(([term, instead]) => (
  { pattern: new RegExp(`${START}${term.replaceAll(' ', '[\\s*/#]+')}${END}`, 'gi'), instead }))

const kernel = new TextlintKernel()
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** Problems of one file, sorted by line. */
export async function problemsOf (file: string, source: string): Promise<ProseProblem[]> {
  const isMarkdown = file.endsWith('.md')
  const { text, sourceOffset } = proseOf(file, source)
  const { messages } = await kernel.lintText(text, {
    filePath: `${file}.md`, ext: '.md', plugins: [{ pluginId: 'markdown', plugin: markdown.default }], rules: [...RULES]
  })
  const all = sentencesOf(isMarkdown ? paragraphs(text) : text)
  const inProse = [
    ...styleProblems(messages, text), ...longSentences(all, text), ...isMarkdown ? longMedian(all) : []
  ]
  const found = [
    ...rejected(isMarkdown ? withoutCode(text) : source),
    ...inProse.map((one) => ({ ...one, offset: sourceOffset(one.offset) }))
  ]
  return found.map(({ offset, rule, problem }) => (
    { file, line: source.slice(0, offset).split('\n').length, rule, problem })).sort((a, b) => a.line - b.line)
}

function proseOf (file: string, source: string): ProseText {
  if (file.endsWith('.ts')) return proseOfTypeScript(source)
  return /\.(?:md|txt)$/.test(file) ? proseOfMarkdown(source) : proseOfYaml(source)
}

interface Found { readonly offset: number, readonly rule: string, readonly problem: string }

function rejected (source: string): Found[] {
  return REJECTED.flatMap(({ pattern, instead }) => Array.from(source.matchAll(pattern), ({ 0: term, index }) => (
    { offset: index, rule: 'reject', problem: `"${term}": use ${instead}` })))
}

function styleProblems (messages: readonly TextlintMessage[], text: string): Found[] {
  return messages.flatMap(({ range: [offset], ruleId, message }) => {
    if (ALLOWED.some((term) => term.test(text.slice(offset)))) return []
    const around = text.slice(Math.max(0, offset - 20), offset + 30).replaceAll(/\s+/g, ' ').trim()
    return [{ offset, rule: ruleId, problem: `${message.split('\n', 1)[0] ?? ''} (${around})` }]
  })
}

interface Sentence { readonly offset: number, readonly words: number, readonly text: string }

function sentencesOf (text: string): Sentence[] {
  return Array.from(text.matchAll(/[^\n|]+/g)).flatMap(({ 0: paragraph, index }) =>
    Array.from(sentences.segment(paragraph)).map(({ segment, index: at }) => ({
      offset: index + at,
      words: segment.replaceAll(/`[^`]*`/g, 'code').match(/[\w'’-]*[A-Za-z][\w'’-]*/g)?.length ?? 0,
      text: segment.trim()
    })))
}

function longSentences (all: readonly Sentence[], source: string): Found[] {
  return all.filter(({ words }) => words > settings.maxWords).map(({ offset, words }) => {
    const start = source.slice(offset).trim().slice(0, 50)
    return { offset, rule: 'sentence-length', problem: `${words} words, at most ${settings.maxWords} (${start}…)` }
  })
}

/** Cells of tables are shorter, and do not count. */
function longMedian (all: readonly Sentence[]): Found[] {
  const counts = all.filter(({ text }) => /[.!?:)]$/.test(text)).map(({ words }) => words).sort((a, b) => a - b)
  const median = counts[Math.floor(counts.length / 2)] ?? 0
  if (median <= settings.maxMedianWords) return []
  const problem = `a median of ${median} words, at most ${settings.maxMedianWords}`
  return [{ offset: 0, rule: 'sentence-length', problem }]
}

/**
 * Markdown with the lines of each paragraph joined, and without fenced blocks and targets of links; offsets stay. The
 * segmenter ends no sentence before a lowercase letter, so code is one capitalized word.
 */
function paragraphs (text: string): string {
  return blocksBlanked(text)
    .replaceAll(/^#.*$/gm, blank)
    .replaceAll(/\]\([^)\s]*\)/g, blank)
    .replaceAll(/`[^`\n]*`/g, (code) => `C${'c'.repeat(code.length - 1)}`)
    .replaceAll(/(?<=[^\s|>-])\n(?=[ \t]*(?![-*+#|>]|\d+\.)\S)/g, ' ')
    .replaceAll(/(?<=[\w)][.!?] )[a-z]/g, (letter) => letter.toUpperCase())
}

function withoutCode (text: string): string {
  return blocksBlanked(text).replaceAll(/`[^`]*`/g, blank)
}

function blocksBlanked (text: string): string {
  return text.replaceAll(/^[ \t]*(```+)[^]*?^[ \t]*\1$/gm, blank)
}

function blank (text: string): string {
  return text.replaceAll(/[^\n]/g, ' ')
}
