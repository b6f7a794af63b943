import { newEditor, type Editor } from './editor.ts'
import { examine, TEXT_NAMES, type TextName, type Texts } from './examine.ts'
import { EXAMPLES } from './examples.ts'
import { outcomeView, summaryText } from './outcome-view.ts'
import { fromFragment, toFragment } from './shared-state.ts'

const FIRST = 'custom-path'

const outcome = elementOf('outcome', HTMLElement)
const summary = elementOf('summary', HTMLElement)
const picker = elementOf('example', HTMLSelectElement)
const shared = elementOf('shared', HTMLElement)

const editors: Readonly<Record<TextName, Editor>> = {
  configs: newEditor(elementOf('configs', HTMLElement), { labelledBy: 'configs-title', onChange: scheduleShow }),
  services: newEditor(elementOf('services', HTMLElement), { labelledBy: 'services-title', onChange: scheduleShow })
}

let scheduled = false

/** Shows the result once per frame. */
function scheduleShow (): void {
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
  const examination = examine(texts())
  const remarks = [...examination.faults, ...examination.objects.flatMap((object) => object.remarks)]
  for (const name of TEXT_NAMES) editors[name].mark(remarks.filter(({ text }) => text === name))
  summary.textContent = summaryText(examination)
  const onChosen = ({ text, position }: (typeof remarks)[number]): void => { editors[text].show(position) }
  outcome.replaceChildren(...outcomeView(examination, { onChosen }))
  performance.measure('examined', 'examine') // read by bench/playground.ts
}

function load ({ configs, services }: Texts): void {
  editors.configs.replace(configs)
  editors.services.replace(services)
}

async function share (): Promise<void> {
  location.hash = await toFragment(texts())
  try {
    await navigator.clipboard.writeText(location.href)
    shared.textContent = 'Link copied.'
  } catch {
    shared.textContent = 'Copy the link from the address bar.'
  }
}

/** Whether the URL contained texts. */
async function loadShared (): Promise<boolean> {
  const given = await fromFragment(location.hash.slice(1))
  if (given === undefined) return false
  const now = texts()
  if (now.configs !== given.configs || now.services !== given.services) load(given)
  picker.value = ''
  return true
}

function loadExample (name: string): void {
  const example = EXAMPLES.find((each) => each.name === name)
  if (example !== undefined) load(example)
}

function followTheme (): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const follow = (): void => { for (const name of TEXT_NAMES) editors[name].setDark(dark.matches) }
  dark.addEventListener('change', follow)
  follow()
}

function elementOf<T extends HTMLElement> (id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`)
  return found
}

picker.append(new Option('…', ''), ...EXAMPLES.map(({ name }) => new Option(name, name)))
picker.addEventListener('change', () => { loadExample(picker.value) })
elementOf('share', HTMLButtonElement).addEventListener('click', () => { share().catch(reportError) })
addEventListener('hashchange', () => { loadShared().catch(reportError) })
followTheme()

if (!await loadShared()) {
  picker.value = FIRST
  loadExample(FIRST)
}
