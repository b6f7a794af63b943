import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import fastifyStatic from '@fastify/static'
import axe from 'axe-core'
import fastify from 'fastify'
import { chromium as browsers } from 'playwright-core'
import t from 'tap'
import { chromium, CHROMIUM_FLAGS } from '../../support/binaries/chromium.ts'
import { ROOT } from '../../support/docs/pages.ts'

const folder = path.join(t.testdir({}), 'site')
await promisify(execFile)('node_modules/.bin/vitepress', ['build', 'docs', '--outDir', folder], { cwd: ROOT })
const app = fastify({ routerOptions: { ignoreTrailingSlash: true } })
await app.register(fastifyStatic, { root: folder, extensions: ['html'] })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const browser = await browsers.launch({ executablePath: await chromium(), args: [...CHROMIUM_FLAGS] })
t.teardown(async () => {
  await browser.close()
  await app.close()
})

for (const address of ['/', '/how-to/gitops', '/reference/path-templates', '/explanation/concepts']) {
  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`${address} in ${colorScheme} has one title and no serious accessibility finding`, async (t) => {
      const page = await browser.newPage({ colorScheme })
      const failed: string[] = []
      page.on('pageerror', (error) => { failed.push(error.message) })
      await page.goto(url + address)
      await page.addScriptTag({ content: axe.source })
      const { violations } = await page.evaluate(async () => {
        const { axe: check } = globalThis as unknown as { axe: typeof axe } // the script above
        // The theme labels its search button "Search" and shows "Search Ctrl K".
        return await check.run({ rules: { 'label-content-name-mismatch': { enabled: false } } })
      })
      t.same(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })), [])
      t.equal(await page.locator('main h1').count(), 1)
      t.same(failed, [])
      await page.close()
    })
  }
}

t.test('the search finds a fault by its code', async (t) => {
  const page = await browser.newPage()
  await page.goto(url)
  await page.getByRole('button', { name: 'Search' }).first().click()
  await page.locator('#localsearch-input').fill('AIM-PATH-CONFLICT')
  t.match(await page.locator('#localsearch-list li').first().textContent(), /Fault|Path/)
})
