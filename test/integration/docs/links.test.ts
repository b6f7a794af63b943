import { existsSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { pageFiles, readPage, ROOT, type Page } from '../../support/docs/pages.ts'

const pages = new Map((await Promise.all((await pageFiles()).map(readPage))).map((page) => [page.file, page]))

/** Reason why a link is broken; undefined for a working or external link. */
function broken (from: Page, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined
  const [target = '', anchor] = link.split('#')
  const file = target === '' ? from.file : path.join(path.dirname(from.file), decodeURIComponent(target))
  if (!existsSync(path.join(ROOT, file))) return `${link}: no such file`
  return anchor === undefined || pages.get(file)?.anchors.has(anchor) === true ? undefined : `${link}: no such heading`
}

t.test('every link of a page leads to an existing file and heading', async (t) => {
  t.ok(pages.size > 15)
  for (const page of pages.values()) t.strictSame(page.links.flatMap((link) => broken(page, link) ?? []), [], page.file)
})

t.test('a broken link is found', async (t) => {
  const page = await readPage('README.md')
  t.equal(broken(page, 'docs/none.md'), 'docs/none.md: no such file')
  t.equal(broken(page, 'docs/reference/faults.md#none'), 'docs/reference/faults.md#none: no such heading')
  t.equal(broken(page, 'docs/how-to/emergencies.md#break-glass'), undefined)
})

t.test('every page is in the index, to which the README links', async (t) => {
  const indexed = new Set(['docs/README.md', 'docs/adr/README.md'].flatMap((file) =>
    pages.get(file)?.links.map((link) => path.join(path.dirname(file), link.split('#')[0] ?? '')) ?? []))
  t.strictSame(
    [...pages.keys()].filter((file) => file.startsWith('docs/') && file !== 'docs/README.md' && !indexed.has(file)),
    []
  )
  t.ok(pages.get('README.md')?.links.includes('docs/README.md'))
})
