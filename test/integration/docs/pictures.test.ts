import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { XMLParser } from 'fast-xml-parser'
import t from 'tap'
import { dashboardPicture, type Panel, type Series } from '../../../tools/dashboard-picture.ts'
import { terminalPicture } from '../../../tools/terminal-picture.ts'
import { runStep } from '../../support/docs/documented-steps.ts'
import { pageFiles, readPage, ROOT } from '../../support/docs/pages.ts'

const FOLDER = path.join(ROOT, 'docs/pictures')
const EXAMPLE = 'deploy/examples/custom-path.yaml'

interface Svg { readonly svg: { readonly title: string, readonly g: { readonly text: readonly unknown[] } } }

function readXml (svg: string): Svg {
  return new XMLParser().parse(svg) as Svg // as terminalPicture writes it
}

/** The lines of a picture, with what is wrapped on one line. */
async function textIn (name: string): Promise<string> {
  const svg = await readFile(path.join(FOLDER, name), 'utf8')
  t.match(readXml(svg), { svg: { title: /\w/ } }, name)
  return [...svg.matchAll(/<text .*?>(.*)<\/text>/g)]
    .map(([, line = '']) => line.replaceAll(/<[^>]+>/g, '').replace(/\s*$/, ' ')).join('')
    .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').replaceAll(/ +/g, ' ')
}

t.test('every picture is small, and on a page with words for it', async (t) => {
  const pages = await Promise.all((await pageFiles()).map(readPage))
  for (const name of await readdir(FOLDER)) {
    t.ok((await stat(path.join(FOLDER, name))).size < 200_000, name)
    const shown = pages.filter(({ links }) => links.some((link) => link.endsWith(`pictures/${name}`)))
    t.ok(shown.length > 0, `${name} is on a page`)
    const words = new RegExp(`!\\[[^\\]]{20,}\\]\\([./\\w]*pictures/${name}\\)`)
    for (const { text } of shown) t.match(text, words, name)
  }
})

t.test('the terminal shows what the program prints', async (t) => {
  const refused = await runStep(`sed '/team: NLP/d' ${EXAMPLE} | node src/main.ts review -f - -o report`)
  const message = /metadata\.labels\[team\]: (.*) \(AIM-/.exec(refused.stdout)?.[1] ?? 'no refusal'
  t.match(await textIn('apply.svg'), message, 'apply.svg: run npm run pictures')
  const explained = await runStep(`node src/main.ts explain translator -f ${EXAMPLE}`)
  const table = explained.stdout.slice(explained.stdout.indexOf('SETTING')).replaceAll(/\s+/g, ' ')
  t.ok((await textIn('explain.svg')).includes(table), 'explain.svg: run npm run pictures')
})

t.test('the picture of the dashboard shows each of its panels', async (t) => {
  const picture = await readFile(path.join(FOLDER, 'dashboard.svg'), 'utf8')
  const { panels } = JSON.parse(
    await readFile(path.join(ROOT, 'deploy/dashboards/aim-admission.json'), 'utf8')
  ) as { panels: Panel[] }
  const shown = [...picture.matchAll(/font-size="12" font-weight="bold">(.*?)</g)].map(([, title]) => title)
  t.same(shown, panels.map(({ title }) => title), 'run npm run pictures')
})

t.test('a dashboard has numbers by threshold, lines with gaps, and panels without data', async (t) => {
  const panel = (type: Panel['type'], unit: string): Panel => ({
    type,
    title: `a <${type}>`,
    gridPos: { x: 0, y: 0, w: 6, h: 8 },
    fieldConfig: {
      defaults: { unit, thresholds: { steps: [{ color: 'red', value: null }, { color: 'green', value: 86_400 }] } }
    }
  })
  const drawn = (type: Panel['type'], unit: string, ...series: Series[]): string =>
    dashboardPicture('title', [{ panel: panel(type, unit), series }], { from: 0, to: 10, step: 1 })
  t.match(readXml(drawn('row', 'none')), { svg: { title: 'title', g: { g: { text: 'a <row>' } } } })
  t.match(drawn('stat', 's'), '>No data</text>')
  t.match(drawn('stat', 's', { name: 'x', points: [[0, 1], [1, 90_000]] }), /fill="#73bf69">1.04 days</)
  t.match(drawn('stat', 's', { name: 'x', points: [[0, 90_000], [1, 0.25]] }), /fill="#f2495c">250 ms</)
  const chart = drawn('timeseries', 'reqps', { name: 'x', points: [[0, 0], [1, 7], [5, 7], [6, 7]] })
  t.match(chart, /<path d="M[\d. ]+L[\d. ]+M[\d. ]+L[\d. ]+" fill="none"/, 'a gap is not drawn')
  t.same([...chart.matchAll(/>(\d+ req\/s)</g)].map(([, value]) => value), ['0 req/s', '2 req/s', '4 req/s', '6 req/s', '8 req/s'])
  const many = Array.from({ length: 40 }, (_, at) => ({ name: `a long name ${at}`, points: [[0, 1]] as const }))
  t.throws(() => drawn('timeseries', 'none', ...many), /no room for the legend/)
})

t.test('a picture escapes markup, wraps behind words, and keeps styles', async (t) => {
  const svg = terminalPicture('a <title>', `\u001B[1m\u001B[31mred & <b>\u001B[39m plain\n\n${'word '.repeat(30)}\n`)
  const { svg: { title, g } } = readXml(svg)
  t.equal(title, 'a <title>')
  t.equal(g.text.length, 3, 'the long line has two rows, the empty one none')
  t.match(svg, '<tspan font-weight="bold" fill="#ff7b72">red &amp; &lt;b&gt;</tspan> plain')
  for (const [, width] of svg.matchAll(/textLength="([\d.]+)"/g)) t.ok(Number(width) <= 840)
  t.equal(terminalPicture('', 'x'.repeat(250)).match(/<text /g)?.length, 3, 'a long word is cut')
  t.throws(() => terminalPicture('', 'up\u001B[2A'), /unknown control sequence/)
})
