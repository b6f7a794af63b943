import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import fastifyStatic from '@fastify/static'
import axe from 'axe-core'
import fastify from 'fastify'
import type { Page } from 'playwright-core'
import t from 'tap'
import { readPage, ROOT } from '../../support/docs/pages.ts'
import { launchBrowser } from '../../support/programs/served-playground.ts'

const folder = path.join(t.testdir({}), 'site')
await promisify(execFile)('node_modules/.bin/vitepress', ['build', 'docs', '--outDir', folder], { cwd: ROOT })
const app = fastify({ routerOptions: { ignoreTrailingSlash: true } })
await app.register(fastifyStatic, { root: folder, extensions: ['html'] })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await app.close()
})

const ADDRESSES = [
  '/', '/how-to/gitops', '/how-to/monitoring', '/how-to/rollouts', '/reference/path-templates', '/explanation/concepts'
]
for (const address of ADDRESSES) {
  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`${address} in ${colorScheme} has one title and no serious accessibility finding`, async (t) => {
      const page = await browser.newPage({ colorScheme })
      const failed: string[] = []
      page.on('pageerror', (error) => { failed.push(error.message) })
      await page.goto(url + address)
      t.same(await seriousFindings(page), [])
      t.equal(await page.locator('main h1').count(), 1)
      t.ok(await page.evaluate('[...document.images].every((image) => image.complete && image.naturalWidth > 0)'))
      t.same(failed, [])
      await page.close()
    })
  }
}

async function seriousFindings (page: Page): Promise<unknown[]> {
  await page.addScriptTag({ content: axe.source })
  const { violations } = await page.evaluate(async () => {
    const { axe: check } = globalThis as unknown as { axe: typeof axe } // the script above
    // The theme labels its search button "Search" and shows "Search Ctrl K".
    return await check.run({ rules: { 'label-content-name-mismatch': { enabled: false } } })
  })
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }))
}

t.test('the start page says what the program is, and its order is that of the navigation', async (t) => {
  const page = await browser.newPage()
  await page.goto(url)
  t.match(await page.textContent('main p'), /admission server for Kubernetes/)
  const inNavigation = await page.evaluate<string[]>(
    "[...document.querySelectorAll('.VPSidebar a[href^=\"/how-to/\"]')].map((link) => link.getAttribute('href'))"
  )
  const { links } = await readPage('docs/README.md')
  const onPage = links.filter((link) => link.startsWith('how-to/')).map((link) => `/${link.replace(/\.md.*$/, '.html')}`)
  t.same(inNavigation, [...new Set(onPage)])
  await page.close()
})

t.test('diagrams are pictures of the theme, and load nothing', async (t) => {
  const { blocks } = await readPage('docs/explanation/concepts.md')
  const diagrams = blocks.filter(({ language }) => language === 'mermaid').length
  t.ok(diagrams > 0)
  const colors = new Set<string>()
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme })
    const elsewhere: string[] = []
    page.on('request', (request) => { if (!request.url().startsWith(url)) elsewhere.push(request.url()) })
    await page.goto(`${url}/explanation/concepts`)
    t.equal(await page.locator('.diagram svg').count(), diagrams)
    t.equal(await page.locator('.vp-doc .language-mermaid').count(), 0)
    t.ok(await page.locator('.diagram text', { hasText: 'spec.runtimeConfigName, or default' }).first().isVisible())
    colors.add(await page.evaluate<string>("getComputedStyle(document.querySelector('.diagram text')).fill"))
    t.same(elsewhere, [])
    if (process.env['SCREENSHOTS'] !== undefined) {
      const file = path.join(process.env['SCREENSHOTS'], `concepts-${colorScheme}.png`)
      await page.screenshot({ path: file, fullPage: true })
    }
    await page.close()
  }
  t.equal(colors.size, 2, 'the text is dark on light, and light on dark')
})

t.test('every address in the site leads to a file of it, and every anchor to an element', async (t) => {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.html'))
  const pages = new Map(await Promise.all(names.map(async (name) =>
    [name, await readFile(path.join(folder, name), 'utf8')] as const)))
  const broken = [...pages].flatMap(([name, html]) =>
    [...html.matchAll(/ (?:href|src)="([^":]*)"/g)].flatMap(([, link = '']) => {
      const { pathname, hash } = new URL(link, new URL(name, 'http://site/'))
      if (pathname.startsWith('/playground/')) return [] // built beside the pages
      const file = ['', '.html', 'index.html'].map((end) => decodeURIComponent(pathname).slice(1) + end)
        .find((each) => statSync(path.join(folder, each), { throwIfNoEntry: false })?.isFile())
      const page = pages.get(file ?? '')
      const anchor = decodeURIComponent(hash.slice(1))
      const isThere = file !== undefined && (anchor === '' || page?.includes(`id="${anchor}"`) === true)
      return isThere ? [] : [`${name}: ${link}`]
    }))
  t.ok(pages.size > 15)
  t.same(broken, [])
})

t.test('the search finds a fault by its code', async (t) => {
  const page = await browser.newPage()
  await page.goto(url)
  await page.getByRole('button', { name: 'Search' }).first().click()
  await page.locator('#localsearch-input').fill('AIM-PATH-CONFLICT')
  t.match(await page.locator('#localsearch-list li').first().textContent(), /Fault|Path/)
  t.same(await seriousFindings(page), [])
  await page.keyboard.press('Enter')
  await page.waitForURL(({ pathname }) => pathname !== '/')
})
