import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ManifestStore } from '../../../src/offline/manifest-store.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const manifest = (kind: string, name: string, spec: string) => `apiVersion: aim.silogen.ai/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: ml-team}
spec: {${spec}}
`
const config = (name: string, storage: string) =>
  manifest('AIMRuntimeConfig', name, `defaultStorageClassName: ${storage}`)
const service = (name: string) => manifest('AIMService', name, 'model: {ref: a}')

/** A store over a folder of these files; records each feed and log message as one line. */
async function storeOf (t: Test, files: Parameters<Test['testdir']>[0]) {
  const folder = t.testdir({ manifests: files ?? {} })
  const lines: string[] = []
  let wake = () => {}
  const record = (line: string) => { lines.push(line); wake() }
  const sink = (kind: string) => ({
    upsert: (object: JsonObject) => {
      const { metadata, spec } = object as { metadata: { name: string }, spec: { defaultStorageClassName?: string } }
      if (metadata.name === 'poison') throw new Error('no')
      const storage = spec.defaultStorageClassName
      record(`${kind} ${metadata.name}${storage === undefined ? '' : ` ${storage}`}`)
    },
    remove: ({ namespace, name }: { namespace: string; name: string }) => {
      record(`${kind} ${namespace}/${name} gone`)
    }
  })
  const log = (level: string) => (keys: object, message: string) => {
    record(`${level}: ${message} ${JSON.stringify(keys).replaceAll(folder, '')}`)
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
  /** Resolves with all new lines once there are at least `count`. */
  const next = async (count: number) => {
    while (lines.length < count) await new Promise<void>((resolve) => { wake = resolve })
    return lines.splice(0)
  }
  return { next, path: (name: string) => join(folder, 'manifests', name), loaded: lines.splice(0) }
}

t.test('feeds all files before start resolves, configurations first', async (t) => {
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

t.test('skips other kinds, other files, links to nothing, and folders, and reads hidden files', async (t) => {
  const { loaded } = await storeOf(t, {
    'secret.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n',
    'notes.txt': 'not YAML: [',
    '.hidden.yaml': service('hidden'),
    '.#locked.yaml': t.fixture('symlink', 'an-editor.1234'),
    'folder.yaml': { 'a.yaml': service('deep') },
    'empty.yaml': ''
  })
  t.same(loaded, ['service hidden'])
})

t.test('an edit feeds only changed objects', async (t) => {
  const { next, path } = await storeOf(t, {
    'a.yaml': `${config('default', 'slow')}---\n${config('other', 'same')}`,
    'b.yaml': service('one')
  })
  await writeFile(path('a.yaml'), `${config('default', 'fast')}---\n${config('other', 'same')}`)
  t.same(await next(1), ['config default fast'])
})

t.test('feeds a file that an editor replaces by rename', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  for (const storage of ['fast', 'faster']) {
    await writeFile(path('.a.yaml.swp'), config('default', storage))
    await rename(path('.a.yaml.swp'), path('a.yaml'))
    t.same(await next(1), [`config default ${storage}`])
  }
})

t.test('feeds new files and removes the objects of deleted files', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  await writeFile(path('b.yaml'), service('one'))
  t.same(await next(1), ['service one'])
  await rm(path('a.yaml'))
  t.same(await next(1), ['config ml-team/default gone'])
})

t.test('logs an invalid file by line and column, and keeps its last valid objects until it is fixed', async (t) => {
  const { next, path } = await storeOf(t, { 'a.yaml': config('default', 'slow') })
  await writeFile(path('a.yaml'), `${config('default', 'slow')}    oops: [\n`)
  const [line, ...others] = await next(1)
  t.match(
    line,
    /^error: invalid manifest file, keeping its last valid objects \{"file":"\/manifests\/a\.yaml","line":5,"column":\d+,"reason":"[^"]+"\}$/
  )
  t.same(others, [])
  await writeFile(path('a.yaml'), config('default', 'fast'))
  t.same(await next(1), ['config default fast'])
})

t.test('logs and skips a file with an object that violates its schema', async (t) => {
  const { loaded } = await storeOf(t, {
    'a.yaml': `${config('good', 'x')}---\n${config('bad', '[]')}`,
    'b.yaml': service('one')
  })
  t.same(loaded, [
    'error: invalid manifest file, keeping its last valid objects {"file":"/manifests/a.yaml","line":6,"column":1,' +
      '"reason":"AIMRuntimeConfig ml-team/bad: spec.defaultStorageClassName: ' +
      'Invalid value: \\"array\\": must be of type string"}',
    'service one'
  ])
})

t.test('an object of a store needs a name', async (t) => {
  const { loaded: [line] } = await storeOf(t, { 'a.yaml': service('x').replace('name: x', 'generateName: x-') })
  t.match(line, /metadata\.name: Required value: a manifest of the store needs a name/)
})

t.test('the first of two objects of one name applies, in the order of the files', async (t) => {
  const { loaded, next, path } = await storeOf(t, {
    'b.yaml': config('default', 'second'),
    'a.yaml': config('default', 'first')
  })
  t.same(loaded, [
    'warn: ignored duplicate object, the first definition applies ' +
      '{"object":"AIMRuntimeConfig ml-team/default in /manifests/b.yaml"}',
    'config default first'
  ])
  await rm(path('a.yaml'))
  t.same(await next(1), ['config default second'])
})

t.test('an object that a sink rejects does not stop the others', async (t) => {
  const { loaded } = await storeOf(t, { 'a.yaml': `${service('poison')}---\n${service('two')}` })
  t.same(loaded, [
    'error: failed to index object {"object":"AIMService ml-team/poison","reason":"no"}',
    'service two'
  ])
})

t.test('start rejects if the folder does not exist', async (t) => {
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
