import { basicSetup } from 'codemirror'
import { yaml } from '@codemirror/lang-yaml'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { Compartment, EditorState } from '@codemirror/state'
import { oneDark } from '@codemirror/theme-one-dark'
import { EditorView, hoverTooltip, type Tooltip } from '@codemirror/view'
import type { Position } from '../src/offline/read-manifests.ts'
import type { Remark } from './examine.ts'
import type { Fix } from './fixes.ts'
import { describe, suggest, type Described, type Given, type Suggestions } from './schema-hints.ts'

/** A remark, and how to get the text without its cause. */
interface FixableRemark extends Remark { readonly fix: Fix | undefined }

/** A YAML editor that marks positions, and knows the fields of the schemas. */
export interface Editor {
  readonly text: string
  /** Replaces the whole text, and starts at its top. */
  replace (text: string): void
  /** Changes what differs; the cursor stays, and undo works. */
  change (text: string): void
  mark (remarks: readonly FixableRemark[]): void
  /** Moves the cursor to the position. */
  show (position: Position): void
  setDark (isDark: boolean): void
}

export interface EditorOptions {
  /** The id of its title. */
  readonly labelledBy: string
  /** Follows every edit. */
  readonly onChange: () => void
  readonly given: () => Given
}

export function newEditor (parent: Element, { labelledBy, onChange, given }: EditorOptions): Editor {
  const theme = new Compartment()
  const autocomplete = (asked: Asked): ReturnType<typeof completion> => completion(asked, given())
  const view = new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        basicSetup, yaml(), lintGutter(), theme.of([]), EditorView.lineWrapping,
        EditorState.languageData.of(() => [{ autocomplete }]), // for the completion of basicSetup
        hoverTooltip(({ state }, offset) => fieldTooltip(state.doc.toString(), offset, given())),
        EditorView.contentAttributes.of({ 'aria-labelledby': labelledBy }),
        EditorView.updateListener.of(({ docChanged }) => { if (docChanged) onChange() })
      ]
    })
  })
  view.scrollDOM.tabIndex = 0 // scrollable regions must be reachable by keyboard
  const change = (text: string): void => {
    // undone alone: the history joins changes without a name
    view.dispatch({ changes: differenceTo(text, view.state.doc.toString()), userEvent: 'fix' })
  }
  return {
    get text () { return view.state.doc.toString() },
    replace: (text) => {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 } })
    },
    change,
    mark: (remarks) => {
      view.dispatch(setDiagnostics(view.state, remarks.map((remark) => diagnosticOf(remark, view.state, change))))
    },
    show: (position) => {
      view.dispatch({ selection: { anchor: offsetOf(position, view.state) }, scrollIntoView: true })
      view.focus()
    },
    setDark: (isDark) => { view.dispatch({ effects: theme.reconfigure(isDark ? DARK : []) }) }
  }
}

const BACKGROUND = { backgroundColor: '#16181d' }

/** oneDark on a darker background, for the contrast of its comments (WCAG 2.2: 4.5). */
const DARK = [
  EditorView.theme({
    '&': BACKGROUND,
    '.cm-gutters': BACKGROUND,
    '.cm-activeLine': BACKGROUND,
    '.cm-activeLineGutter': BACKGROUND
  }, { dark: true }),
  oneDark
]

/** What CodeMirror asks for completions with. */
interface Asked { readonly state: EditorState, readonly pos: number, readonly explicit: boolean }

/** While typing, from the first letter on; on request always. */
function completion (
  { state, pos, explicit }: Asked, given: Given
): (Suggestions & { readonly validFor: RegExp }) | null {
  const found = suggest(state.doc.toString(), pos, given)
  return found === undefined || (found.from === pos && !explicit) ? null : { ...found, validFor: /^[\w.{-]*$/ }
}

function fieldTooltip (text: string, offset: number, { otherwise }: Given): Tooltip | null {
  const found = describe(text, offset, otherwise)
  return found === undefined ? null : { pos: found.from, end: found.to, create: () => ({ dom: descriptionOf(found) }) }
}

function descriptionOf ({ field, description }: Described): HTMLElement {
  const dom = document.createElement('div')
  dom.className = 'field'
  const title = document.createElement('code')
  title.textContent = field
  const words = document.createElement('div')
  words.textContent = description
  dom.append(title, words)
  return dom
}

/** The one change from the text to the next one. */
function differenceTo (next: string, text: string): { from: number, to: number, insert: string } {
  const shorter = Math.min(text.length, next.length)
  let from = 0
  while (from < shorter && text[from] === next[from]) from++
  let same = 0
  while (same < shorter - from && text.at(-1 - same) === next.at(-1 - same)) same++
  return { from, to: text.length - same, insert: next.slice(from, next.length - same) }
}

/** Marks the token at the position. */
function diagnosticOf (
  { level, message, position, fix }: FixableRemark, state: EditorState, change: (text: string) => void
): Diagnostic {
  const from = offsetOf(position, state)
  const line = state.doc.lineAt(from)
  const length = /^[^\s#,\]}]*/.exec(line.text.slice(from - line.from))?.[0].length ?? 0
  const actions = fix === undefined ? [] : [{ name: fix.title, apply: () => { change(fix.text) } }]
  return { from, to: Math.min(line.to, from + Math.max(1, length)), severity: level, message, actions }
}

/** Clamped, because the text may have changed since. */
function offsetOf ({ line, column }: Position, { doc }: EditorState): number {
  const { from, to } = doc.line(Math.min(line, doc.lines))
  return Math.min(to, from + column - 1)
}
