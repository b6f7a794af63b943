/** `npm run bench:playground`: size of the page, first paint, and time from a keystroke to its result, in Chromium. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { servePlayground } from '../test/support/programs/served-playground.ts'
import { median, percentile } from './support/statistics.ts'

const LOADS = 5
const KEYSTROKES = 40
/** Time between two keystrokes in milliseconds; shorter than in real typing. */
const KEY_GAP_MS = 60
const RESULT = '#outcome article'

/** Records milliseconds from each keystroke until its result is painted: two frames after it enters the page. */
const WATCH_KEYS = `
  window.taken = [];
  addEventListener('keydown', () => { window.pressed = performance.now() }, true);
  new MutationObserver(() => {
    const { pressed } = window;
    if (pressed === undefined) return;
    window.pressed = undefined;
    requestAnimationFrame(() => { requestAnimationFrame(() => { window.taken.push(performance.now() - pressed) }) });
  }).observe(document.querySelector('#outcome'), { childList: true, subtree: true });
`

async function compressed (folder: string): Promise<number> {
  const files = ['index.html', ...(await readdir(path.join(folder, 'assets'))).map((file) => path.join('assets', file))]
  const sizes = await Promise.all(files.map(async (file) => gzipSync(await readFile(path.join(folder, file))).length))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function keystrokes (page: Page, example: string): Promise<number[]> {
  await page.selectOption('#example', example)
  await page.evaluate(WATCH_KEYS)
  await page.click('#services .cm-content')
  await page.keyboard.press('ControlOrMeta+End')
  await page.keyboard.type('\n'.padEnd(KEYSTROKES, '# a typed comment '), { delay: KEY_GAP_MS })
  await page.waitForTimeout(500)
  const taken = await page.evaluate<number[]>('window.taken.slice(2)') // the first two run cold code
  if (taken.length < KEYSTROKES / 2) {
    throw new Error(`${example}: only ${taken.length} of ${KEYSTROKES} keystrokes had a result`)
  }
  return taken
}

const folder = await mkdtemp(path.join(tmpdir(), 'aim-admission-playground-'))
const { url, browser, close } = await servePlayground(folder)
try {
  const paints: number[] = []
  const results: number[] = []
  for (let load = 0; load < LOADS; load++) {
    const page = await browser.newPage()
    await page.goto(url)
    await page.waitForSelector(RESULT)
    paints.push(await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    results.push(await page.evaluate<number>(
      "performance.getEntriesByName('examined')[0].startTime + performance.getEntriesByName('examined')[0].duration"
    ))
    await page.close()
  }
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForSelector(RESULT)
  const names = (
    await page.evaluate<string[]>("[...document.querySelectorAll('#example option')].map((option) => option.value)")
  ).filter((name) => name !== '')
  const rows: Array<[string, string]> = [
    ['total size, compressed', `${((await compressed(folder)) / 1_000).toFixed(0)} kB`],
    [`first paint, median of ${LOADS}`, `${median(paints).toFixed(0)} ms`],
    [`first result, median of ${LOADS}`, `${median(results).toFixed(0)} ms`]
  ]
  for (const name of names) {
    await page.reload()
    await page.waitForSelector(RESULT)
    const taken = (await keystrokes(page, name)).sort((a, b) => a - b)
    rows.push([
      `${name}: keystroke to painted result, median and p95 (p95 / median)`,
      `${median(taken).toFixed(0)} ms, ${percentile(taken, 0.95).toFixed(0)} ms ` +
        `(${(percentile(taken, 0.95) / median(taken)).toFixed(1)} ×)`
    ])
  }
  process.stdout.write(rows.map(([name, value]) => `${name.padEnd(90)}${value}\n`).join(''))
} finally {
  await close()
  await rm(folder, { recursive: true, force: true })
}
