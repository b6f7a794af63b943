import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import axe from 'axe-core'
import { chromium as browsers, type Page } from 'playwright-core'
import t from 'tap'
import { build } from 'vite'
import { buildProbes } from '../../../src/server/probes.ts'
import { newRegistry } from '../../../src/telemetry/metrics.ts'
import { chromium, CHROMIUM_FLAGS } from '../../support/binaries/chromium.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const folder = path.join(t.testdir({}), 'playground')
await build({ configFile: path.join(ROOT, 'playground/vite.config.ts'), build: { outDir: folder }, logLevel: 'warn' })
const app = buildProbes({ notReadyReason: () => undefined, registry: newRegistry('0.0.0-test'), playground: folder })
const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/playground`
const browser = await browsers.launch({ executablePath: await chromium(), args: [...CHROMIUM_FLAGS] })
t.teardown(async () => {
  await browser.close()
  await app.close()
})

/** Opens the playground in a new page; `complaints` are console errors, page errors and external requests. */
async function open (
  options: Parameters<typeof browser.newPage>[0] = {}, fragment = ''
): Promise<{ page: Page, complaints: string[] }> {
  const page = await browser.newPage(options)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => { complaints.push(error.message) })
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith('data:')) {
      complaints.push(`external request ${request.url()}`)
    }
  })
  await page.goto(url + fragment)
  await page.waitForSelector('#outcome article')
  return { page, complaints }
}

/** Replaces the text of an editor by keyboard. */
async function type (page: Page, editor: 'configs' | 'services', text: string): Promise<void> {
  await page.click(`#${editor} .cm-content`)
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(text)
}

const SERVICE = `apiVersion: aim.silogen.ai/v1alpha1
kind: AIMService
metadata:
  name: llama-chat
  namespace: ml-team
spec:
  model:
    ref: meta-llama-3-8b
  routing:
    enabled: true
    pathTemplate: "/{.metadata.labels['team']}/x"
`

t.test('shows an example on load, without errors and external requests', async (t) => {
  const { page, complaints } = await open()
  t.match(await page.textContent('#summary'), /^\d+ admitted/)
  t.ok(await page.locator('.diff ins', { hasText: 'resolvedRuntimeConfig' }).count() > 0, 'the block is shown as added')
  t.strictSame(complaints, [])
  await page.close()
})

t.test('admits every example', async (t) => {
  const { page, complaints } = await open()
  const names = (
    await page
      .locator('#example option')
      .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value))
  ).filter((name) => name !== '')
  t.strictSame(
    names,
    (await readdir(path.join(ROOT, 'deploy/examples')))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => file.replace('.yaml', ''))
      .sort()
  )
  for (const name of names) {
    await page.selectOption('#example', name)
    await page.waitForFunction(() => document.querySelector('#summary')?.textContent.includes('admitted'))
    t.match(await page.textContent('#summary'), /, 0 refused$/, name)
    t.equal(await page.locator('article.refused').count(), 0, name)
  }
  t.strictSame(complaints, [])
  await page.close()
})

t.test('reviews typed text: marks a refusal at its place, until it is fixed', async (t) => {
  const { page } = await open()
  await type(page, 'services', SERVICE)
  await page.waitForSelector('article.refused')
  t.match(
    await page.textContent('article.refused .remarks'),
    /metadata\.labels\[team\] .*label "team" is not set on this service.*run: kubectl label/
  )
  await page.waitForSelector('#services .cm-lint-marker-error')
  await page.click('article.refused .place')
  await page.waitForSelector('#services .cm-editor.cm-focused')
  await type(page, 'services', SERVICE.replace('  namespace: ml-team', '  namespace: ml-team\n  labels: {team: NLP}'))
  await page.waitForSelector('article.refused', { state: 'detached' })
  t.match(await page.textContent('#outcome'), /Path: \/nlp\/x/)
  t.match(await page.textContent('#outcome table'), /\{\.metadata\.labels\['team'\]\}NLPnlp/)
  await page.close()
})

t.test('reports invalid YAML, and still reviews the other text', async (t) => {
  const { page } = await open()
  await type(page, 'configs', 'kind: [')
  await page.waitForSelector('article.refused h3:has-text("Invalid manifests")')
  t.match(await page.textContent('#summary'), /1 invalid place$/)
  await page.close()
})

t.test('a link transfers the texts to another page', async (t) => {
  const { page } = await open()
  await type(page, 'services', SERVICE.replace('llama-chat', 'shared-one'))
  await page.waitForSelector('h3:has-text("shared-one")')
  await page.click('#share')
  await page.waitForFunction(() => location.hash.length > 1 && document.querySelector('#shared')?.textContent !== '')
  const fragment = new URL(page.url()).hash
  const { page: other, complaints } = await open({}, fragment)
  t.match(await other.textContent('#outcome'), /AIMService ml-team\/shared-one/)
  t.strictSame(complaints, [])
  const { page: invalid, complaints: none } = await open({}, '#no-such-text')
  t.match(await invalid.textContent('#summary'), /admitted/, 'an invalid link shows the first example')
  t.strictSame(none, [])
  for (const each of [page, other, invalid]) await each.close()
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`accessible in ${colorScheme}, also on a phone`, async (t) => {
    for (const viewport of [{ width: 1280, height: 900 }, { width: 390, height: 844 }]) {
      const { page } = await open({ colorScheme, viewport })
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate(
        async () => await (globalThis as unknown as { axe: typeof axe }).axe.run()
      )
      t.strictSame(
        violations
          .filter(({ impact }) => ['serious', 'critical'].includes(impact ?? ''))
          .map(({ id, nodes }) => [id, nodes.length]),
        []
      )
      t.ok(
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        'no element is wider than the screen'
      )
      if (process.env['SCREENSHOTS'] !== undefined) {
        await page.screenshot({ path: path.join(process.env['SCREENSHOTS'], `${colorScheme}-${viewport.width}.png`) })
      }
      await page.close()
    }
  })
}

t.test('every control is reachable by keyboard', async (t) => {
  const { page } = await open()
  const reached = new Set<string>()
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Escape') // leaves an editor, where Tab would indent
    await page.keyboard.press('Tab')
    reached.add(
      await page.evaluate(
        () =>
          document.activeElement?.id ||
          document.activeElement?.getAttribute('aria-labelledby') ||
          document.activeElement?.className ||
          ''
      )
    )
  }
  for (const id of ['example', 'share', 'configs-title', 'services-title']) {
    t.ok(reached.has(id), `${id} of ${[...reached].join(', ')}`)
  }
  await page.close()
})

t.test('the page has less than 350 kB compressed', async (t) => {
  const files = await readdir(path.join(folder, 'assets'))
  const sizes = await Promise.all(
    files.map(async (file) => gzipSync(await readFile(path.join(folder, 'assets', file))).length)
  )
  const total = sizes.reduce((sum, size) => sum + size, 0)
  t.ok(total < 350_000, `${total} bytes compressed`)
})
