import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import t from 'tap'
import { servePlayground } from '../../support/programs/served-playground.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const folder = path.join(t.testdir({}), 'playground')
const { url, browser, close } = await servePlayground(folder)
t.teardown(close)

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

t.test('admits every example, but for those about refusals', async (t) => {
  const { page, complaints } = await open()
  const names = (
    await page
      .locator('#example option')
      .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value))
  ).filter((name) => name !== '')
  const stories = ['missing-label', 'path-conflict', 'what-if']
  t.strictSame(
    names.filter((name) => !stories.includes(name)).sort(),
    (await readdir(path.join(ROOT, 'deploy/examples')))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => file.replace('.yaml', ''))
      .sort()
  )
  t.strictSame(names.slice(0, 6).filter((name) => stories.includes(name)), stories, 'the story comes first')
  for (const name of names) {
    await page.selectOption('#example', name)
    const refused = stories.includes(name) ? 1 : 0
    await page.waitForFunction((wanted) =>
      document.querySelector('#summary')?.textContent.endsWith(`, ${wanted} refused`), refused)
    t.equal(await page.locator('article.refused').count(), refused, name)
    t.match(await page.textContent('#about'), /\w{3}/, `${name} says what it shows`)
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
  t.equal(await invalid.inputValue('#example'), 'quick-start')
  t.match(await invalid.textContent('#shared'), 'The link is damaged', 'and says so')
  t.equal(await other.textContent('#shared'), '')
  t.strictSame(none, [])
  for (const each of [page, other, invalid]) await each.close()
})

t.test('a fix button beside a message, and in the editor, changes the YAML', async (t) => {
  const { page, complaints } = await open()
  await page.selectOption('#example', 'missing-label')
  await page.click('article.refused button.fix:has-text("Set label team")')
  await page.waitForSelector('article.refused', { state: 'detached' })
  t.match(await page.textContent('#outcome'), /Path: \/ml-apps\/example\/translator/)
  await page.click('#services .cm-content')
  await page.keyboard.press('ControlOrMeta+z')
  await page.waitForSelector('article.refused')
  await page.locator('#services .cm-lintRange-error').first().hover()
  await page.click('.cm-diagnosticAction:has-text("Set label team")')
  await page.waitForSelector('article.refused', { state: 'detached' })
  t.strictSame(complaints, [])
  await page.close()
})

t.test('completes fields and values, and describes the field below the pointer', async (t) => {
  const { page } = await open()
  await type(page, 'services', `${SERVICE}  `)
  await page.keyboard.press('Control+Space')
  await page.waitForSelector('.cm-tooltip-autocomplete')
  const options = await page.locator('.cm-completionLabel').allTextContents()
  t.ok(options.includes('replicas') && !options.includes('model'), options.join())
  await page.keyboard.type('cache')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+Space')
  await page.locator('.cm-completionLabel', { hasText: 'true' }).click()
  await page.waitForSelector('#services .cm-line:has-text("cacheModel: true")')
  await page.locator('#services .cm-line', { hasText: 'pathTemplate' }).locator('span').first().hover()
  t.match(await page.locator('.cm-tooltip .field').textContent(), /spec\.routing\.pathTemplate.*Template of the path/s)
  await page.close()
})

t.test('what if: compares with the configurations before, and puts them back', async (t) => {
  const { page, complaints } = await open()
  await page.selectOption('#example', 'what-if')
  t.equal(await page.getAttribute('#tab-what-if', 'aria-selected'), 'true')
  t.match(await page.textContent('#effects'), /^4 services: 1 breaks, 2 moves, 1 stays\./)
  t.match(await page.textContent('article.breaks'), /ml-apps\/transcriber .*label "team" is not set/)
  t.match(await page.textContent('article.moves'), /\/ml-apps\/translator → \/nlp\/translator/)
  await page.click('#revert')
  await page.waitForSelector('.counts:has-text("the same as before")')
  t.match(await page.textContent('#effects'), /^4 services: 4 stays\./)
  await type(page, 'configs', 'kind: [')
  await page.waitForSelector('#effects p.refused')
  await page.click('#compare')
  await page.click('#tab-result')
  t.notOk(await page.isVisible('#effects'))
  t.strictSame(complaints, [])
  await page.close()
})

t.test('opens a folder: each object goes to its editor', async (t) => {
  const { page, complaints } = await open()
  const metadata = { name: 'default', namespace: 'ml-team' }
  const config = { apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMRuntimeConfig', metadata }
  const dir = t.testdir({
    'configs.json': JSON.stringify({ kind: 'List', items: [config] }),
    services: { 'a.yaml': `kind: Namespace\n---\n${SERVICE}`, 'notes.txt': 'kind: AIMService', 'b.yml': 'a: [' },
    'broken.yaml': 'kind: AIMService\nspec: [\n'
  })
  await page.setInputFiles('#folder', dir)
  await page.waitForSelector('#shared:has-text("1 configurations and 2 services in 4 files.")')
  await page.waitForSelector('#summary:has-text("1 invalid place")') // an unreadable file shows its error
  t.match(await page.textContent('#configs .cm-content'), /kind: AIMRuntimeConfig/)
  for (const written of ['name: llama-chat', 'spec: [']) {
    t.match(await page.textContent('#services .cm-content'), written)
  }
  t.strictSame(complaints, [], 'nothing is sent')
  await page.close()
})

t.test('a large folder: the refused objects come first, and what is not shown is counted', async (t) => {
  const { page, complaints } = await open()
  const many = Array.from({ length: 600 }, (_, at) =>
    SERVICE.replace('llama-chat', `s${at}`).replace(/ {2}routing:[^]*/, '')).join('---\n')
  await page.setInputFiles('#folder', t.testdir({ 'a.yaml': `${many}---\n${SERVICE.replace('ref:', 'raf:')}` }))
  await page.waitForSelector('#shared:has-text("601 services")')
  await page.waitForSelector('#outcome article:first-child.refused:has-text("raf")')
  t.equal(await page.locator('#outcome article').count(), 200)
  t.match(await page.textContent('#outcome'), /… and 401 more objects$/)
  await page.click('article.refused button.fix:has-text("Rename raf to ref")')
  await page.waitForSelector('article.refused:has-text("is not set on this service")')
  await page.click('#tab-what-if')
  t.match(await page.textContent('.counts'), /^600 services: 600 stays; 1 refused one is left out/)
  await page.click('#share')
  await page.waitForSelector('#shared:has-text("The link is copied")')
  await page.setInputFiles('#folder', t.testdir({ 'a.yaml': Array(3).fill(many).join('---\n') }))
  await page.waitForSelector('#shared:has-text("1800 services")')
  await page.click('#share')
  await page.waitForSelector('#shared:has-text("too large for a link")')
  t.equal(new URL(page.url()).hash, '', 'the link of other texts is gone')
  t.strictSame(complaints, [])
  await page.close()
})

t.test('stores nothing unless asked, and then what is typed and the theme', async (t) => {
  const context = await browser.newContext()
  const page = await context.newPage()
  const stored = async (): Promise<string> => await page.evaluate(() => Object.keys(localStorage).join())
  await page.goto(url)
  await type(page, 'services', SERVICE)
  await page.waitForSelector('h3:has-text("llama-chat")')
  t.equal(await stored(), '')
  await page.check('#remember')
  const background = async (): Promise<string> =>
    await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  t.equal(await background(), 'rgb(255, 255, 255)')
  await page.click('#theme')
  t.equal(await background(), 'rgb(22, 24, 29)', 'the page follows the theme, like the editors')
  await page.reload()
  await page.waitForSelector('h3:has-text("llama-chat")')
  t.equal(await page.getAttribute('#theme', 'aria-pressed'), 'true')
  t.equal(await background(), 'rgb(22, 24, 29)')
  await page.uncheck('#remember')
  t.equal(await stored(), '')
  t.strictSame(await context.cookies(), [])
  await context.close()
})

t.test('on a phone, one part at a time', async (t) => {
  const { page } = await open({ viewport: { width: 360, height: 740 } })
  const isCut = await page.evaluate<boolean>(
    "[...document.querySelectorAll('header > :not([hidden]), [role=tab]')].some((each) => " +
    'each.getBoundingClientRect().right > innerWidth)'
  )
  t.notOk(isCut, 'each control is on the screen as a whole')
  const box = async (id: string) => await page.locator(id).boundingBox() ?? { y: 0, height: 0 }
  const [first, last] = [await box('#open'), await box('#remember')]
  t.ok(last.y < first.y + first.height, 'the buttons are on one line')
  t.notOk(await page.isVisible('#configs'))
  const parts = { configs: '#configs', services: '#services', 'what-if': '#effects', result: '#outcome' }
  for (const [tab, part] of Object.entries(parts)) {
    await page.click(`#tab-${tab}`)
    t.ok(await page.isVisible(part), tab)
    t.equal(await page.locator('.part:visible').count(), 1, tab)
    t.ok(await page.isVisible('#summary'), 'the verdict is always there')
  }
  await page.selectOption('#example', 'missing-label')
  await page.click('article.refused .place')
  await page.waitForSelector('#services .cm-editor.cm-focused')
  await page.close()
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`accessible in ${colorScheme}, also on a phone`, async (t) => {
    for (const viewport of [{ width: 1280, height: 900 }, { width: 390, height: 844 }]) {
      const { page } = await open({ colorScheme, viewport })
      await page.evaluate(axe.source)
      for (const example of ['custom-path', 'missing-label', 'what-if']) {
        await page.selectOption('#example', example)
        if (example === 'missing-label') await page.waitForSelector('article.refused button.fix')
        const { violations } = await page.evaluate(
          async () => await (globalThis as unknown as { axe: typeof axe }).axe.run()
        )
        t.strictSame(
          violations
            .filter(({ impact }) => ['serious', 'critical'].includes(impact ?? ''))
            .map(({ id, nodes }) => [example, id, nodes.map(({ html }) => html)]),
          []
        )
        t.ok(
          await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
          'no element is wider than the screen'
        )
        if (process.env['SCREENSHOTS'] !== undefined) {
          const name = `${colorScheme}-${viewport.width}-${example}.png`
          await page.screenshot({ path: path.join(process.env['SCREENSHOTS'], name) })
        }
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
  for (const id of ['example', 'open', 'share', 'theme', 'tab-what-if', 'configs-title', 'services-title']) {
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
