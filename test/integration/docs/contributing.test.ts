import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import packageJson from '../../../package.json' with { type: 'json' }
import { readPage, ROOT } from '../../support/docs/pages.ts'

const PATH = /`((?:src|webhooks|certs|playground|test|bench|tools|deploy|docs)(?:\/[\w.*{},/-]+)?)`/g

/** Paths in backquotes that do not exist; NAME stands for any name. */
function missing (text: string): string[] {
  const paths = Array.from(text.matchAll(PATH), ([, name = '']) => name.replaceAll('NAME', '*'))
  return [...new Set(paths)].filter((name) =>
    !existsSync(path.join(ROOT, name)) && globSync(name, { cwd: ROOT }).length === 0)
}

for (const [page, options] of [['CONTRIBUTING.md', {}], ['ARCHITECTURE.md', {}]] as const) {
  t.test(`every path in ${page} exists`, options, async (t) => {
    t.strictSame(missing((await readPage(page)).text), [])
  })
}

t.test('a missing path is found', async (t) => {
  t.strictSame(missing('`src/main.ts`, `src/cli/commands/NAME/command.ts`, `src/gone.ts`'), ['src/gone.ts'])
})

t.test('CONTRIBUTING.md explains every script for users, and no other', async (t) => {
  const { text } = await readPage('CONTRIBUTING.md')
  const named = Array.from(text.matchAll(/`npm (?:run )?(?:-s )?([a-z][\w:-]+)/g), ([, name = '']) => name)
  const scripts = Object.keys(packageJson.scripts).filter((name) => !/^(?:pre|install-once)/.test(name))
  t.strictSame(scripts.filter((name) => !named.includes(name)), [])
  t.strictSame(named.filter((name) => !scripts.includes(name)), [])
})
