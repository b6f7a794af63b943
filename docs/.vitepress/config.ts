import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { renderMermaidSVG } from 'beautiful-mermaid'
import { defineConfig, type DefaultTheme } from 'vitepress'

const DOCS = path.resolve(import.meta.dirname, '..')
const REPOSITORY = 'https://github.com/silogen/aim-admission'

/** The site of `npm run docs`: the pages of docs, with search. A dead link fails the build. */
export default defineConfig({
  title: 'aim-admission',
  description: 'Admission server that resolves runtime configuration into AIMService objects',
  base: process.env['DOCS_BASE'] ?? '/',
  outDir: path.resolve(DOCS, '../dist/docs'),
  cacheDir: path.resolve(DOCS, '../node_modules/.cache/vitepress'),
  rewrites: { 'README.md': 'index.md', 'adr/README.md': 'adr/index.md' },
  ignoreDeadLinks: [/playground\//], // built beside the pages
  head: [['style', {}, '.vp-doc [class*="language-"] > span.lang { color: var(--vp-c-text-1) }' + // contrast
    '.diagram svg { max-width: 100%; height: auto }']],
  themeConfig: {
    search: { provider: 'local' },
    nav: [{ text: 'Playground', link: '/playground/', target: '_self' }, { text: 'Repository', link: REPOSITORY }],
    sidebar: [
      section('Tutorial', 'tutorial'), section('How-to', 'how-to'), section('Reference', 'reference'),
      section('Explanation', 'explanation'), { ...section('Decisions', 'adr'), link: '/adr/', collapsed: true }
    ]
  },
  vite: { plugins: [{ name: 'accessible-search', enforce: 'pre', transform: accessibleSearch }] },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: (markdown) => {
      // Vue reads two braces as an expression.
      const { rules } = markdown.renderer
      const escape = (text = ''): string => markdown.utils.escapeHtml(text).replaceAll('{{', '&#123;&#123;')
      rules.text = (tokens, index) => escape(tokens[index]?.content)
      const { fence } = rules
      rules.fence = (tokens, index, ...rest) => {
        const token = tokens[index]
        return token.info === 'mermaid' ? diagram(token.content) : fence?.(tokens, index, ...rest) ?? ''
      }
      rules.code_inline = (tokens, index) => `<code>${escape(tokens[index]?.content)}</code>`
      markdown.core.ruler.push('links-to-the-repository', ({ tokens, env }) => {
        const { relativePath } = env as { relativePath: string } // of VitePress
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.attrGet('href')
          if (href !== null && !/^(?:[a-z]+:|#)/.test(href)) token.attrSet('href', linkOf(relativePath, href))
        }
      })
    }
  }
})

/** In the theme, the search is a button with controls in it, results are options with links, and keys lack a role. */
function accessibleSearch (code: string, file: string): string | undefined {
  if (!file.endsWith('/VPLocalSearchBox.vue')) return undefined
  const ofWidgets = ['role', 'aria-owns', 'aria-expanded', 'aria-haspopup', 'aria-activedescendant',
    'aria-autocomplete', 'aria-selected']
  return code.replace(new RegExp(` :?(?:${ofWidgets.join('|')})="[^"]*"`, 'g'), '')
    .replace('class="VPLocalSearchBox"', 'class="VPLocalSearchBox" role="dialog" aria-modal="true"')
    .replaceAll('<kbd :aria-label', '<kbd role="img" :aria-label')
}

/** An SVG in the colors of the theme, so that pages need no library. Vue keeps a style in `v-html` only. */
function diagram (text: string): string {
  const colors = { bg: 'var(--vp-c-bg)', fg: 'var(--vp-c-text-1)', muted: 'var(--vp-c-text-1)', transparent: true }
  const svg = renderMermaidSVG(text, colors).replaceAll(/@import url\(.*?\);/g, '')
  const html = JSON.stringify(svg).replaceAll('&', '&amp;').replaceAll('"', '&quot;')
  return `<div class="diagram" v-html="${html}"></div>\n`
}

/** Files outside of docs are in the repository. */
function linkOf (page: string, href: string): string {
  const target = path.posix.join(path.posix.dirname(page), href)
  if (target.startsWith('../')) return `${REPOSITORY}/blob/main/${target.slice('../'.length)}`
  return href.replace('README.md', 'index.md')
}

/** The pages of a folder by their titles, in the order in which the start page links to them; others come last. */
function section (text: string, folder: string): DefaultTheme.SidebarItem {
  const start = readFileSync(path.join(DOCS, 'README.md'), 'utf8')
  const place = (name: string): number => {
    const at = start.indexOf(`](${folder}/${name}`)
    return at === -1 ? start.length : at
  }
  const names = readdirSync(path.join(DOCS, folder)).filter((name) => /^(?!README).*\.md$/.test(name))
  const items = names.sort((a, b) => place(a) - place(b)).map((name) => ({
    text: /^# (.*)$/m.exec(readFileSync(path.join(DOCS, folder, name), 'utf8'))?.[1] ?? name,
    link: `/${folder}/${name.replace(/\.md$/, '')}`
  }))
  return { text, items }
}
