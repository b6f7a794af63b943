import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { manifest, routed } from '../../support/builders/manifests.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { readPage } from '../../support/docs/pages.ts'
import { runPasted, runProgram } from '../../support/programs/program.ts'

const DEFAULT = 'aim.silogen.ai'
const GROUP = 'aim.example.com'
const FLAG = ['--api-group', GROUP]
const ROOT = path.resolve(import.meta.dirname, '../../..')

const manifests = async (...args: readonly string[]): Promise<string> =>
  (await runProgram(['manifests', ...args])).stdout

t.test('one file of the sources names the API group, for the group and for the prefix of annotations', async (t) => {
  const named: string[] = []
  for await (const file of glob('{src,webhooks,certs,playground}/**/*.ts', { cwd: ROOT })) {
    const code = (await readFile(path.join(ROOT, file), 'utf8')).replace(/\/\*\*?[\s\S]*?\*\/|\/\/.*/g, '')
    if (code.includes(DEFAULT)) named.push(file)
  }
  t.strictSame(named.filter((file) => !file.endsWith('examples.ts')), ['src/api/meta.ts'])
})

t.test('manifests are of the group, and names that belong to the program stay', async (t) => {
  t.equal(await manifests('crds', ...FLAG), (await manifests('crds')).replaceAll(DEFAULT, GROUP))
  for (const what of ['rbac', 'webhooks']) {
    const usual = await manifests(what)
    const moved = usual.replaceAll(`- ${DEFAULT}\n`, `- ${GROUP}\n`)
    t.equal(await manifests(what, `--api-group=${GROUP}`), moved)
    t.match(usual, `- ${DEFAULT}\n`)
  }
})

t.test('review takes objects of the group, and no others', async (t) => {
  const other = manifest({ namespace: 'ml-team', name: 'a', spec: routed('/a') })
  const files = t.testdir({ 'other.yaml': other, 'a.yaml': other.replaceAll(DEFAULT, GROUP) })
  const flags = [...FLAG, '--missing-default', 'builtin', '-o', 'json']
  const ran = await runProgram(['review', '-f', `${files}/a.yaml`, ...flags])
  t.equal(ran.code, 0, ran.stderr)
  t.match(ran.stdout, /"path":"\/a"/)
  t.not((await runProgram(['review', '-f', `${files}/other.yaml`, ...FLAG])).code, 0)
})

t.test('a group that is no DNS name is refused', async (t) => {
  const ran = await runProgram(['manifests', 'crds', '--api-group', 'Not/A Group'])
  t.not(ran.code, 0)
  t.match(ran.stderr, /must be a DNS name/)
})

t.test('the documented command moves the static manifest to a group', async (t) => {
  const { blocks } = await readPage('docs/how-to/beside-an-operator.md')
  const command = blocks.map(({ text }) => text).find((text) => text.includes('GROUP#')) ?? ''
  const { stdout } = await runPasted(command.replace('GROUP', GROUP).replace('REGISTRY', 'r').replace(/\|[^|]*$/, ''), {})
  const expected = await renderedChart({ definitions: 'operator', apiGroup: GROUP, namespace: { create: true } })
  t.strictSame(objectsIn(stdout.replaceAll('"r/', '"')), objectsIn(expected))
})

t.test('the chart is of the group of its value', async (t) => {
  const rendered = JSON.stringify(objectsIn(await renderedChart({ apiGroup: GROUP })))
  const usual = JSON.stringify(objectsIn(await renderedChart()))
  const moved = usual
    .replaceAll(`"${DEFAULT}"`, `"${GROUP}"`)
    .replaceAll(`"${DEFAULT}/v1alpha1"`, `"${GROUP}/v1alpha1"`)
    .replaceAll(`${DEFAULT}/v1alpha1`, `${GROUP}/v1alpha1`)
    .replace(/"name":"(aim\w+)\.aim\.silogen\.ai"/g, `"name":"$1.${GROUP}"`)
  t.equal(rendered, moved)
})
