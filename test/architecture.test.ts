import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { FAULTS } from '../src/core/faults.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

/** Which layers the files of a layer may import; each may import itself. The table of ARCHITECTURE.md. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'src/api': [],
  'src/core': ['src/api'],
  'src/admission': ['src/api', 'src/core'],
  webhooks: ['src/api', 'src/core', 'src/admission'],
  certs: [],
  'src/kube': ['src/api', 'src/core'],
  'src/local': ['src/api', 'src/core'],
  'src/reconcile': ['src/api', 'src/core'],
  'src/server': ['src/api', 'src/core', 'src/admission', 'webhooks'],
  'src/cli': ['src', 'src/api', 'src/core', 'src/admission', 'webhooks', 'certs', 'src/kube', 'src/local', 'src/reconcile', 'src/server']
}

interface Import { readonly file: string, readonly layer: string, readonly line: string, readonly specifier: string }

async function imports (): Promise<Import[]> {
  const found: Import[] = []
  for (const layer of Object.keys(ARROWS)) {
    for (const name of await readdir(path.join(ROOT, layer))) {
      if (!name.endsWith('.ts')) continue
      const file = path.join(layer, name)
      const source = await readFile(path.join(ROOT, file), 'utf8')
      for (const [line, specifier] of source.matchAll(/^import [^'\n]*'([^']+)'/gm)) found.push({ file, layer, line, specifier: specifier ?? '' })
    }
  }
  return found
}

t.test('imports follow the arrows', async (t) => {
  const all = await imports()
  t.ok(all.length > 100, 'the imports were found')
  const against = all.filter(({ file, layer, specifier }) => {
    if (!specifier.startsWith('.')) return false
    const target = path.dirname(path.join(path.dirname(file), specifier))
    return target !== layer && !(ARROWS[layer] ?? []).includes(target)
  })
  t.strictSame(against, [])
})

t.test('the core runs in a browser: nothing of Node, and of the wire types only constants', async (t) => {
  const all = (await imports()).filter(({ layer }) => layer === 'src/core')
  t.strictSame(all.filter(({ specifier }) => specifier.startsWith('node:')), [])
})

t.test('every fault is in docs/faults.md, and no other', async (t) => {
  const documented = [...(await readFile(path.join(ROOT, 'docs/faults.md'), 'utf8')).matchAll(/^\| `(AIM-[A-Z-]+)` \| (.+) \|$/gm)].map(([, code, summary]) => [code, summary])
  t.strictSame(documented, Object.entries(FAULTS).map(([code, { summary }]) => [code, summary]))
})
