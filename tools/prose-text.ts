import ts from 'typescript'

/** Text with its offset in the file. */
interface Piece { readonly text: string, readonly pos: number }

/** One comment or string. */
type Fragment = readonly Piece[]

/** Prose of a file as Markdown: one paragraph per fragment. */
export interface ProseText {
  readonly text: string
  /** Offset in the file of an offset in `text`. */
  readonly sourceOffset: (offset: number) => number
}

/** Placeholder for a computed part of a string. */
const CODE = '`…`'

/** Between paragraphs. */
const BREAK = '\n\n'

/** Comments, messages, and test names of a TypeScript file. */
export function proseOfTypeScript (source: string): ProseText {
  const file = ts.createSourceFile('file.ts', source, ts.ScriptTarget.Latest)
  const strings: Fragment[] = []
  let code = source
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return
    const pieces = stringPieces(node, file)
    if (pieces.length > 0) strings.push(pieces)
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || ts.isRegularExpressionLiteral(node)) {
      code = blanked(code, node.getStart(file), node.end)
    }
    if (pieces.length > 0) ts.forEachChild(node, visitNested)
    else ts.forEachChild(node, visit)
  }
  // The strings of a concatenation or template are one fragment.
  const visitNested = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) code = blanked(code, node.getStart(file), node.end)
    else if (isConcatenation(node)) ts.forEachChild(node, visitNested)
    else if (ts.isTemplateSpan(node)) visit(node.expression)
    else visit(node)
  }
  visit(file)
  return joined([...commentFragments(code, /\/\*[^]*?\*\/|\/\/[^\n]*(?:\n *\/\/[^\n]*)*/g), ...strings.filter(isProse)])
}

/** `#` comments of a file, and the summaries and descriptions of a YAML file. */
export function proseOfYaml (source: string): ProseText {
  const texts = Array.from(
    source.matchAll(/^ +(?:summary|description): (["'>|-]*)(.+)$/gm),
    (match): Fragment => [{ text: match[2] ?? '', pos: match.index + match[0].length - (match[2] ?? '').length }]
  )
  return joined([...commentFragments(source, /(?<=^|\s)# [^\n]*(?:\n *# [^\n]*)*/g), ...texts])
}

/** A Markdown or text file as it stands. */
export function proseOfMarkdown (source: string): ProseText {
  return { text: source, sourceOffset: (offset) => offset }
}

function stringPieces (node: ts.Node, file: ts.SourceFile): Fragment {
  const start = node.getStart(file)
  if (ts.isStringLiteralLike(node)) return [{ text: file.text.slice(start + 1, node.end - 1), pos: start + 1 }]
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.flatMap(({ literal }) => {
      const at = literal.getStart(file)
      return [{ text: CODE, pos: at }, { text: file.text.slice(at + 1, literal.end).replace(/\$\{$|`$/, ''), pos: at + 1 }]
    })
    return [{ text: file.text.slice(start + 1, node.head.end - 2), pos: start + 1 }, ...spans]
  }
  if (isConcatenation(node)) {
    const [left, right] = [stringPieces(node.left, file), stringPieces(node.right, file)]
    if (left.length + right.length === 0) return []
    return [...left.length > 0 ? left : [{ text: CODE, pos: start }],
      ...right.length > 0 ? right : [{ text: CODE, pos: node.right.getStart(file) }]]
  }
  return []
}

/** At least three words and no sign of code, such as a manifest, a flag, or a pattern. */
function isProse (fragment: Fragment): boolean {
  const text = fragment.map((piece) => piece.text).join('')
  return (text.match(/[A-Za-z]{2,}/g)?.length ?? 0) >= 3 && /[a-z] [a-z]/.test(text) && !/\\n|\n|[{}<>=;\\|]/.test(text)
}

function commentFragments (code: string, pattern: RegExp): Fragment[] {
  return Array.from(code.matchAll(pattern), ({ 0: comment, index }) =>
    Array.from(comment.matchAll(/^[ \t]*(?:\/\*\*?|\*\/|\*|\/\/|#)? ?(.*?)(?:\s*\*\/)?$/gm), (line) => {
      const text = line[1] ?? ''
      return { text: text === '' ? BREAK : `${text} `, pos: index + line.index + line[0].indexOf(text) }
    }))
}

function joined (fragments: readonly Fragment[]): ProseText {
  const starts: number[] = []
  const pieces = fragments.flatMap((fragment) => [...fragment, { text: BREAK, pos: fragment.at(-1)?.pos ?? 0 }])
  let text = ''
  for (const piece of pieces) {
    starts.push(text.length)
    // These are plain characters in a comment, but syntax in Markdown.
    text += piece.text === CODE || piece.text === BREAK ? piece.text : piece.text.replaceAll(/[<>*_#]/g, '-').replaceAll(/\s/g, ' ')
  }
  return {
    text,
    sourceOffset: (offset) => {
      const at = starts.findLastIndex((start) => start <= offset)
      return (pieces[at]?.pos ?? 0) + offset - (starts[at] ?? 0)
    }
  }
}

function isConcatenation (node: ts.Node): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken
}

function blanked (code: string, start: number, end: number): string {
  return code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ') + code.slice(end)
}
