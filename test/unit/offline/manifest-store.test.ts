import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { ManifestStore } from '../../../src/offline/manifest-store.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const config = (name: string, storage: string) =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMRuntimeConfig\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {defaultStorageClassName: ${storage}}\n`
const service = (name: string) =>
  `apiVersion: aim.silogen.ai/v1alpha1\nkind: AIMService\nmetadata: {name: ${name}, namespace: ml-team}\nspec: {model: {ref: a}}\n`

/** A store over a folder of these files, and all that it feeds and tells, one line each. */
async function storeOf (t: Test, files: Parameters<Test['testdir']>[0]) {
  const folder = t.testdir({ manifests: files ?? {} })
  const told: string[] = []
  let wake = () => {}
  const tell = (line: string) => { told.push(line); wake() }
  const sink = (kind: string) => ({
    upsert: (object: JsonObject) => {
      const { metadata, spec } = object as { metadata: { name: string }, spec: { defaultStorageClassName?: string } }
      if (metadata.name === 'poison') throw new Error('no')
      tell(
        `${kind} ${metadata.name}${spec.defaultStorageClassName === undefined ? '' : ` ${spec.defaultStorageClassName}`}`
      )
    },
    remove: ({ namespace, name }: { namespace: string, name: string }) => { tell(`${kind} ${namespace}/${name} gone`) }
  })
  const log = (level: string) => (keys: object, sentence: string) => {
    tell(`${level}: ${sentence} ${JSON.stringify(keys).replaceAll(folder, '')}`)
  }
  const store = new ManifestStore({
    folder: join(folder, 'manifests'),
    sinks: {
      AIMService: sink('service'),
      AIMRuntimeConfig: sink('config'),
      AIMClusterRuntimeConfig: sink('cluster config')
    },
    log: { ...silentLog, warn: log('warn'), error: log('error') }
  })
  t.teardown(() => store.stop())
  await store.start()
  /** What is told from now on, once it has as many lines as are wanted. */
  const next = async (lines: number) => {
    while (told.length < lines) await new Promise<void>((resolve) => { wake = resolve })
    return told.splice(0)
  }
  return { next, told, path: (name: string) => join(folder, 'manifests', name), loaded: told.splice(0) }
}

t.test('all files are fed when start resolves, configurations first', async (t) => {
  const { loaded } = await storeOf(t, {
    'a-services.yaml': `${service('one')}---\n${service('two')}`,
    'b.yml': config('default', 'fast'),
    'c.json': JSON.stringify({
      apiVersion: 'aim.silogen.ai/v1alpha1',
      kind: 'AIMClusterRuntimeConfig',
      metadata: { name: 'shared' },
      spec: {}
    })
  })
  t.same(loaded, ['config default fast', 'cluster config shared', 'service one', 'service two'])
})

t.test('other kinds, other files, hidden files and folders are passed over', async (t) => {
  const { loaded } = await storeOf(t, {
    'secret.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n',
    'notes.txt': 'not YAML: [',
    '.hidden.yaml': 'not YAML: [',
    'folder.yaml': { 'a.yaml': service('deep') },
    'empty.yaml': ''
  })
  t.same(loaded, [])
})

t.test('an edit feeds what has changed, and nothing else', async (t) => {
  const { next, path } = await storeOf(t, {
    'a.yaml': `${config('default', 'slow')}---\n${config('other', 'same')}`,
    'b.yaml': service('one')
  })
  await writeFile(path('a.yaml'), `${config('default', 'fast')}---\n${config('other', 'same')}`)
  t.same(await next(1), ['config default fast'])
})

t.test('a file put in place of another by an editor counts', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  for (const storage of ['fast', 'faster']) {
    await writeFile(path('.a.yaml.swp'), config('default', storage))
    await rename(path('.a.yaml.swp'), path('a.yaml'))
    t.same(await next(1), [`config default ${storage}`])
  }
})

t.test('new files come, removed files go', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  await writeFile(path('b.yaml'), service('one'))
  t.same(await next(1), ['service one'])
  await rm(path('a.yaml'))
  t.same(await next(1), ['config ml-team/default gone'])
})

t.test('a broken file is told of by line and column, and its last good state stays until it is mended', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  await writeFile(path('a.yaml'), `${config('default', 'slow')}    oops: [\n`)
  const [line, ...others] = await next(1)
  t.match(
    line,
    /^error: manifest file is faulty, its last good state stays \{"file":"\/manifests\/a\.yaml","line":5,"column":\d+,"reason":"[^"]+"\}$/
  )
  t.same(others, [])
  await writeFile(path('a.yaml'), config('default', 'fast'))
  t.same(await next(1), ['config default fast'])
})

t.test('a file of which one object does not fit its schema does not count, and is told of', async (t) => {
  const { loaded } = await storeOf(t, {
    'a.yaml': `${config('good', 'x')}---\n${config('bad', '[]')}`,
    'b.yaml': service('one')
  })
  t.same(loaded, [
    'error: manifest file is faulty, its last good state stays {"file":"/manifests/a.yaml","line":6,"column":1,' +
      '"reason":"AIMRuntimeConfig ml-team/bad: spec.defaultStorageClassName: Invalid value: \\"array\\": must be of type string"}',
    'service one'
  ])
})

t.test('an object needs a name of its own in a store', async (t) => {
  const { loaded: [line] } = await storeOf(t, { 'a.yaml': service('x').replace('name: x', 'generateName: x-') })
  t.match(line, /metadata\.name: Required value: a manifest of the store needs a name/)
})

t.test('of two objects with one name the first counts, in the order of the files', async (t) => {
  const { loaded, next, path } = await storeOf(t, {
    'b.yaml': config('default', 'second'),
    'a.yaml': config('default', 'first')
  })
  t.same(loaded, [
    'warn: object is defined twice, the first one counts {"object":"AIMRuntimeConfig ml-team/default in /manifests/b.yaml"}', 'config default first'
  ])
  await rm(path('a.yaml'))
  t.same(await next(1), ['config default second'])
})

t.test('an object that a sink throws at does not stop the others', async (t) => {
  const { loaded } = await storeOf(t, { 'a.yaml': `${service('poison')}---\n${service('two')}` })
  t.same(loaded, [
    'error: object could not be taken in {"object":"AIMService ml-team/poison","reason":"no"}',
    'service two'
  ])
})

t.test('a folder that is not there is told of in a sentence', async (t) => {
  const folder = join(t.testdir({}), 'none')
  const sink = { upsert: () => {}, remove: () => {} }
  const store = new ManifestStore({
    folder,
    log: silentLog,
    sinks: { AIMService: sink, AIMRuntimeConfig: sink, AIMClusterRuntimeConfig: sink }
  })
  await t.rejects(store.start(), { message: /^cannot read the manifest folder .*none: ENOENT/ })
  await mkdir(folder)
  await store.start()
  await store.stop()
})
