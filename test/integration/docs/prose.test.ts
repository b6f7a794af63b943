import t from 'tap'
import { problemsOf } from '../../../tools/prose.ts'

/** A word of the reject list and a repeated word, so that this file itself passes the linter. */
const [WORD, TO] = ['who' + 'ever', 'to']

const LONG = Array.from({ length: 31 }, (_, at) => ` word${at}`).join('')

interface Case { readonly file?: string, readonly source: string, readonly found: readonly string[] }

const SOURCES: Readonly<Record<string, Case>> = {
  'a rejected word in a comment': { source: `// ok\n// ${WORD} reads this`, found: ['2 reject'] },
  'a rejected word in a message': { source: `throw new Error('${WORD}')`, found: ['1 reject'] },
  'a rejected word within a name': { source: 'const is' + 'Men' + 'ded = true', found: ['1 reject'] },
  'a rejected term across two lines of a comment': { source: '/**\n * It is\n * to' + 'ld.\n */', found: ['2 reject'] },
  'a repeated word in a message': { source: `log('failed to ${TO} read the file')`, found: ['1 write-good'] },
  'a repeated word in a concatenation': {
    source: `log('failed to ' +\n '${TO} read the file')`, found: ['2 write-good']
  },
  'a long sentence in a comment': { source: `// A${LONG} sentence.`, found: ['1 sentence-length'] },
  'a rejected word in YAML': { file: 'a.yaml', source: `a: 1\n# ${WORD} reads it`, found: ['2 reject'] },
  'two spaces between sentences in Markdown': {
    file: 'a.md', source: ['One sentence.', 'Another one.'].join('  '), found: ['1 google/sentence-spacing']
  },
  'a long sentence on two lines of Markdown': {
    file: 'a.md',
    source: `One. Two. Three.\n\nA${LONG.slice(0, 90)}\n${LONG.slice(91)} sentence.`,
    found: ['3 sentence-length']
  },
  'a long median of Markdown': {
    file: 'a.md', source: `${`A${LONG.slice(0, 140)}. `.repeat(2)}Short.`, found: ['1 sentence-length']
  },
  'quoted code in Markdown': {
    file: 'a.md', source: `Run \`${WORD}\`. \`a\` waits:\n\n\`\`\`text\n${WORD}${LONG}\n\`\`\``, found: []
  },
  'sentences that begin with code or a heading': {
    file: 'a.md', source: `# A${LONG.slice(0, 90)}\nA${LONG.slice(0, 90)}. \`b\`${LONG.slice(0, 90)}. c.`, found: []
  },
  'paragraphs of a comment': { source: '/**\n * One paragraph.\n *\n * Another one.\n */', found: [] },
  'code, imports and manifests': {
    source: "import a from 'the the the'\nconst yaml = `metadata: {name: the the}`\nconst the = 1", found: []
  }
}

for (const [name, { file = 'a.ts', source, found }] of Object.entries(SOURCES)) {
  t.test(`the prose linter and ${name}`, async (t) => {
    t.strictSame((await problemsOf(file, source)).map(({ line, rule }) => `${line} ${rule}`), found)
  })
}
