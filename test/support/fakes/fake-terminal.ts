import { newTerminal, type Terminal } from '../../../src/cli/output/terminal.ts'

/** What a command wrote, and how it ended; -1 where it set no exit code. */
export interface Shown { out: string, err: string, code: number }

/** A terminal that keeps what is written to it. */
export function fakeTerminal (
  given: Partial<Pick<Terminal, 'colors' | 'showsProgress' | 'screen'>> & { readonly stdin?: string } = {}
): { readonly terminal: Terminal, readonly shown: Shown } {
  const shown: Shown = { out: '', err: '', code: -1 }
  return {
    shown,
    terminal: newTerminal({
      stdin: async () => given.stdin ?? '',
      write: (text) => { shown.out += text },
      writeError: (text) => { shown.err += text },
      setExitCode: (code) => { shown.code = code },
      colors: given.colors ?? false,
      showsProgress: given.showsProgress ?? false,
      screen: given.screen
    })
  }
}
