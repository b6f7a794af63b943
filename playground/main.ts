import { newEditor, type Editor } from './editor.ts'
import { examine, whatIf } from './examine.ts'
import { SETTINGS, STORY, type Example } from './examples.ts'
import { fixOf } from './fixes.ts'
import { outcomeView, summaryText, whatIfView } from './outcome-view.ts'
import type { Given, KnownNames } from './schema-hints.ts'
import { fromFragment, TEXT_NAMES, textsOf, toFragment, type TextName, type Texts } from './texts.ts'

const FIRST = STORY[0]?.name ?? ''
/** Of all files of a folder together, in bytes. */
const MAX_FOLDER_BYTES = 2_000_000
/** The only entry of the storage, which exists only if the user asks for it. */
const STORED = 'aim-admission-playground'
const MAX_FRAME_MS = 100
const PAUSE_MS = 400
/** Fixes are worked out for the first messages, refusals before warnings. */
const MAX_FIXES = 20

const view = elementOf('outcome', HTMLElement).closest('main') ?? document.body
const [outcome, effects, summary] = [
  elementOf('outcome', HTMLElement), elementOf('effects', HTMLElement), elementOf('summary', HTMLElement)
]
const [about, shared] = [elementOf('about', HTMLElement), elementOf('shared', HTMLElement)]
const picker = elementOf('example', HTMLSelectElement)
const folder = elementOf('folder', HTMLInputElement)
const remember = elementOf('remember', HTMLInputElement)
const themeButton = elementOf('theme', HTMLButtonElement)
const tabs = [...document.querySelectorAll<HTMLElement>('[role=tab]')]
const prefersDark = matchMedia('(prefers-color-scheme: dark)')

let names: KnownNames = { configs: [], labels: [] }
const editors: Readonly<Record<TextName, Editor>> = {
  configs: editorOf('configs', 'AIMRuntimeConfig'),
  services: editorOf('services', 'AIMService')
}
/** The configurations that the tab "What if" compares with. */
let before = ''
/** Undefined: as the system. */
let dark: boolean | undefined
let scheduled = false
/** Milliseconds of the last examination. */
let took = 0
let pause: ReturnType<typeof setTimeout> | undefined

function editorOf (name: TextName, otherwise: Given['otherwise']): Editor {
  const given = (): Given => ({ otherwise, names })
  return newEditor(elementOf(name, HTMLElement), { labelledBy: `${name}-title`, onChange: scheduleShow, given })
}

/** Shows the result once per frame; of large texts, which take long, at the first pause. */
function scheduleShow (): void {
  if (took > MAX_FRAME_MS) {
    clearTimeout(pause)
    pause = setTimeout(show, PAUSE_MS)
    return
  }
  if (scheduled) return
  scheduled = true
  requestAnimationFrame(() => {
    scheduled = false
    show()
  })
}

function texts (): Texts {
  return { configs: editors.configs.text, services: editors.services.text }
}

function show (): void {
  performance.mark('examine')
  const now = texts()
  const examination = examine(now)
  names = namesIn(examination)
  const all = [...examination.faults, ...examination.objects.flatMap((object) => object.remarks)]
  const first = [...all.filter(({ level }) => level === 'error'), ...all].slice(0, MAX_FIXES)
  const fixes = new Map(first.map((remark) => [remark, fixOf(remark, now[remark.text])]))
  const remarks = all.map((remark) => ({ ...remark, fix: fixes.get(remark) }))
  for (const name of TEXT_NAMES) editors[name].mark(remarks.filter(({ text }) => text === name))
  summary.textContent = summaryText(examination)
  outcome.replaceChildren(...outcomeView(examination, {
    fixes,
    onChosen: ({ text, position }) => {
      choose(text)
      editors[text].show(position)
    },
    onFixed: ({ text }, fix) => { editors[text].change(fix.text) }
  }))
  if (view.dataset['view'] === 'what-if') showWhatIf()
  if (remember.checked) keep()
  took = performance.measure('examined', 'examine').duration // read by bench/playground.ts as well
}

function showWhatIf (): void {
  effects.replaceChildren(...whatIfView(whatIf(before, texts()), before === editors.configs.text))
}

function namesIn ({ objects }: ReturnType<typeof examine>): KnownNames {
  const given = objects.map(({ outcome: { given } }) => given)
  const configs = given.filter(({ kind }) => kind.kind !== 'AIMService').map(({ key }) => key.name)
  const labels = given.filter(({ kind }) => kind.kind === 'AIMService')
    .flatMap(({ object }) => Object.keys((object['metadata'] as { labels?: object } | undefined)?.labels ?? {}))
  return { configs: [...new Set(configs)], labels: [...new Set(labels)] }
}

/** Shows a view: on a wide screen both editors are always there. */
function choose (name: string): void {
  const wide = matchMedia('(min-width: 60.01rem)').matches
  if (wide && name !== 'what-if') name = 'result'
  view.dataset['view'] = name
  for (const tab of tabs) tab.setAttribute('aria-selected', String(tab.id === `tab-${name}`))
  if (name === 'what-if') showWhatIf()
}

function load ({ configs, services }: Texts, comparedWith = configs): void {
  before = comparedWith
  editors.configs.replace(configs)
  editors.services.replace(services)
}

function loadExample (name: string): void {
  const example = [...STORY, ...SETTINGS].find((each) => each.name === name)
  if (example === undefined) return
  about.textContent = example.about
  load(example, example.before)
  choose(example.before === undefined ? 'result' : 'what-if')
}

async function share (): Promise<void> {
  const fragment = await toFragment(texts())
  history.replaceState(null, '', `#${fragment ?? ''}`)
  if (fragment === undefined) {
    shared.textContent = 'The texts are too large for a link.'
    return
  }
  try {
    await navigator.clipboard.writeText(location.href)
    shared.textContent = 'The link is copied. It contains the texts.'
  } catch {
    shared.textContent = 'Copy the link from the address bar.'
  }
}

/** Whether the URL contained texts. */
async function loadShared (): Promise<boolean> {
  const given = await fromFragment(location.hash.slice(1))
  if (given === undefined) {
    if (location.hash !== '') shared.textContent = 'The link is damaged: it contains no texts.'
    return false
  }
  const now = texts()
  if (now.configs !== given.configs || now.services !== given.services) loadOwn(given)
  return true
}

function loadOwn (given: Texts): void {
  picker.value = ''
  about.textContent = ''
  load(given)
}

async function openFolder (): Promise<void> {
  const files = [...folder.files ?? []].filter(({ name }) => /\.(?:ya?ml|json)$/.test(name))
  folder.value = '' // the same folder can be opened again
  if (files.reduce((sum, { size }) => sum + size, 0) > MAX_FOLDER_BYTES) {
    shared.textContent = 'The folder has more than 2 MB of manifests: open a part of it.'
    return
  }
  const sorted = textsOf(await Promise.all(files.map(async (file) => await file.text())))
  shared.textContent = `${sorted.configs} configurations and ${sorted.services} services in ${files.length} files.`
  if (sorted.configs + sorted.services > 0) loadOwn(sorted.texts)
}

function followTheme (): void {
  const isDark = dark ?? prefersDark.matches
  for (const name of TEXT_NAMES) editors[name].setDark(isDark)
  document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light'
  themeButton.setAttribute('aria-pressed', String(isDark))
}

function keep (): void {
  try {
    localStorage.setItem(STORED, JSON.stringify({ ...texts(), dark }))
  } catch {
    shared.textContent = 'This browser stores nothing for this page.'
  }
}

/** Whether this browser remembers texts. */
function loadKept (): boolean {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORED) ?? 'null')
    if (kept === null) return false
    const { configs, services, dark: isDark } = kept as Texts & { dark?: boolean } // as `keep` writes it
    remember.checked = true
    dark = isDark
    loadOwn({ configs, services })
    return true
  } catch {
    return false
  }
}

function elementOf<T extends HTMLElement> (id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`)
  return found
}

function groupOf (label: string, examples: readonly Example[]): HTMLOptGroupElement {
  const group = document.createElement('optgroup')
  group.label = label
  group.append(...examples.map(({ name, title }) => new Option(title, name)))
  return group
}

function onClick (id: string, act: () => void): void {
  elementOf(id, HTMLButtonElement).addEventListener('click', act)
}

picker.append(new Option('…', ''), groupOf('What it does', STORY), groupOf('Settings', SETTINGS))
picker.addEventListener('change', () => { loadExample(picker.value) })
for (const tab of tabs) tab.addEventListener('click', () => { choose(tab.id.replace('tab-', '')) })
onClick('share', () => { share().catch(reportError) })
onClick('open', () => { folder.click() })
folder.addEventListener('change', () => { openFolder().catch(reportError) })
onClick('compare', () => {
  before = editors.configs.text
  showWhatIf()
})
onClick('revert', () => { editors.configs.change(before) })
onClick('theme', () => {
  dark = !(dark ?? prefersDark.matches)
  followTheme()
  if (remember.checked) keep()
})
remember.addEventListener('change', () => {
  if (remember.checked) keep()
  else localStorage.removeItem(STORED)
})
prefersDark.addEventListener('change', followTheme)
addEventListener('hashchange', () => { loadShared().catch(reportError) })

if (!await loadShared() && !loadKept()) {
  picker.value = FIRST
  loadExample(FIRST)
}
followTheme()
