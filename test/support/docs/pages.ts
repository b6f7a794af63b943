import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import GithubSlugger from 'github-slugger'
import { lexer, walkTokens, type Token, type Tokens } from 'marked'

export const ROOT = path.resolve(import.meta.dirname, '../../..')

/** A page of the documentation, parsed as on GitHub. */
export interface Page {
  /** Path from the root of the checkout. */
  readonly file: string
  readonly text: string
  /** Anchors of its headings. */
  readonly anchors: ReadonlySet<string>
  /** Targets of links and images as written. */
  readonly links: readonly string[]
  readonly blocks: readonly Block[]
  readonly tables: readonly Table[]
}

/** A fenced block; `under` is its heading. */
interface Block { readonly under: string, readonly language: string, readonly text: string }

/** A table with cells as Markdown. */
interface Table {
  readonly under: string
  readonly head: readonly string[]
  readonly rows: ReadonlyArray<readonly string[]>
}

/** Paths of all pages. */
export async function pageFiles (): Promise<string[]> {
  return await Array.fromAsync(glob(['*.md', '.github/*.md', 'docs/**/*.md', 'deploy/**/*.md'], { cwd: ROOT }))
}

export async function readPage (file: string): Promise<Page> {
  const text = await readFile(path.join(ROOT, file), 'utf8')
  const tokens = lexer(text)
  const slugger = new GithubSlugger()
  const headings = await Promise.all(tokens.filter(isA('heading')).map(plain))
  const links = (await allTokens(tokens))
    .filter((token) => isA('link')(token) || isA('image')(token))
    .map(({ href }) => href)
  return { file, text, anchors: new Set(headings.map((heading) => slugger.slug(heading))), links, ...sections(tokens) }
}

function sections (tokens: readonly Token[]): Pick<Page, 'blocks' | 'tables'> {
  const blocks: Block[] = []
  const tables: Table[] = []
  let under = ''
  for (const token of tokens) {
    if (isA('heading')(token)) under = token.text
    if (isA('code')(token)) blocks.push({ under, language: token.lang ?? '', text: token.text })
    if (isA('table')(token)) {
      tables.push({
        under,
        head: token.header.map(({ text }) => text),
        rows: token.rows.map((row) => row.map(({ text }) => text))
      })
    }
  }
  return { blocks, tables }
}

interface Kinds {
  readonly heading: Tokens.Heading
  readonly code: Tokens.Code
  readonly table: Tokens.Table
  readonly link: Tokens.Link
  readonly image: Tokens.Image
}

function isA<K extends keyof Kinds> (kind: K) {
  return (token: Token): token is Kinds[K] => token.type === kind
}

/** Text of a heading without Markdown syntax. */
async function plain ({ tokens }: Tokens.Heading): Promise<string> {
  return (await allTokens(tokens))
    .flatMap((token) => (!('tokens' in token) && 'text' in token ? [String(token.text)] : []))
    .join('')
}

/** All tokens, including nested ones, in order. */
async function allTokens (tokens: Token[]): Promise<Token[]> {
  const all: Token[] = []
  for (const walked of walkTokens(tokens, (token) => { all.push(token) })) await walked
  return all
}

/** Rows of the tables with that head. */
export function rowsOf (page: Page, ...head: readonly string[]): ReadonlyArray<readonly string[]> {
  return page.tables.filter((table) => table.head.join() === head.join()).flatMap(({ rows }) => rows)
}

/** Content of a cell that is one code span; throws for any other cell. Strips double backquotes and their padding. */
export function codeIn (cell: string): string {
  const text = /^(`+)([^]+)\1$/.exec(cell)?.[2]
  if (text === undefined) throw new Error(`cell is not a code span: ${cell}`)
  return text.startsWith(' ') && text.endsWith(' ') ? text.slice(1, -1) : text
}
