import { basicSetup } from 'codemirror'
import { yaml } from '@codemirror/lang-yaml'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { Compartment, EditorState } from '@codemirror/state'
import { oneDark } from '@codemirror/theme-one-dark'
import { EditorView } from '@codemirror/view'
import type { Position } from '../src/offline/read-manifests.ts'
import type { Remark } from './examine.ts'

/** A YAML editor that marks positions. */
export interface Editor {
  readonly text: string
  replace (text: string): void
  mark (remarks: readonly Remark[]): void
  /** Moves the cursor to the position. */
  show (position: Position): void
  setDark (isDark: boolean): void
}

/** Creates an editor; `onChange` follows every edit, `labelledBy` is the id of its title. */
export function newEditor (
  parent: Element, { labelledBy, onChange }: { labelledBy: string, onChange: () => void }
): Editor {
  const theme = new Compartment()
  const view = new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        basicSetup, yaml(), lintGutter(), theme.of([]), EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-labelledby': labelledBy }),
        EditorView.updateListener.of(({ docChanged }) => { if (docChanged) onChange() })
      ]
    })
  })
  view.scrollDOM.tabIndex = 0 // scrollable regions must be reachable by keyboard
  return {
    get text () { return view.state.doc.toString() },
    replace: (text) => {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 } })
    },
    mark: (remarks) => {
      view.dispatch(setDiagnostics(view.state, remarks.map((remark) => diagnosticOf(remark, view.state))))
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

/** Marks the token at the position. */
function diagnosticOf ({ level, message, position }: Remark, state: EditorState): Diagnostic {
  const from = offsetOf(position, state)
  const line = state.doc.lineAt(from)
  const length = /^[^\s#,\]}]*/.exec(line.text.slice(from - line.from))?.[0].length ?? 0
  return { from, to: Math.min(line.to, from + Math.max(1, length)), severity: level, message }
}

/** Clamped, because the text may have changed since. */
function offsetOf ({ line, column }: Position, { doc }: EditorState): number {
  const { from, to } = doc.line(Math.min(line, doc.lines))
  return Math.min(to, from + column - 1)
}
