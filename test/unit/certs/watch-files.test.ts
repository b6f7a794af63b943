import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { WatchedFiles } from '../../../certs/watch-files.ts'
import { systemClock, type Clock } from '../../../src/platform/clock.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'

/** Two files of a mounted Secret: links into a folder that is itself a link. */
function aMount (t: Test) {
  const folder = t.testdir({})
  let version = 0
  const swap = (first: string, second: string): void => {
    const data = `..${++version}`
    mkdirSync(path.join(folder, data))
    writeFileSync(path.join(folder, data, 'a'), first)
    writeFileSync(path.join(folder, data, 'b'), second)
    symlinkSync(data, path.join(folder, '..data_tmp'))
    renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'))
    if (version > 1) rmSync(path.join(folder, `..${version - 1}`), { recursive: true })
  }
  swap('1', '1')
  for (const name of ['a', 'b']) symlinkSync(path.join('..data', name), path.join(folder, name))
  return { files: [path.join(folder, 'a'), path.join(folder, 'b')], swap }
}

/** The files are usable if their contents are equal. */
function watched<T extends Clock> (t: Test, files: readonly string[], clock: T) {
  const taken: string[] = []
  const lines: string[] = []
  let unusable = 0
  const log = (keys: object, message: string): void => { lines.push(`${message} ${JSON.stringify(keys)}`) }
  const take = (texts: readonly string[]): void => {
    if (new Set(texts).size > 1) throw new Error('contents differ')
    taken.push(texts.join())
  }
  const watching = new WatchedFiles({
    files,
    take,
    onUnusable: () => { unusable++ },
    clock,
    log: { info: log, warn: log, error: log }
  })
  t.teardown(() => { watching.stop() })
  return { watching, clock, taken, lines, unusable: () => unusable }
}

t.test('loads a changed Secret on a file event', async (t) => {
  const { files, swap } = aMount(t)
  const { watching, taken } = watched(t, files, systemClock)
  watching.start()
  swap('2', '2')
  await until(() => taken.length === 2)
  t.strictSame(taken, ['1,1', '2,2'])
})

t.test('reads files periodically without a file event', async (t) => {
  const { files, swap } = aMount(t)
  const { watching, clock, taken } = watched(t, files, new ManualClock())
  watching.start()
  swap('2', '2')
  clock.pass(2_900)
  clock.pass(100)
  t.strictSame(taken, ['1,1', '2,2'])
})

t.test('skips, counts, and logs unusable contents once per change', async (t) => {
  const { files, swap } = aMount(t)
  const { watching, clock, taken, lines, unusable } = watched(t, files, new ManualClock())
  watching.start()
  swap('2', '3')
  clock.pass(20_000)
  t.strictSame([taken, unusable()], [['1,1'], 1])
  t.match(lines.filter((line) => line.includes('failed to load')), [/contents differ/])
  swap('3', '3')
  clock.pass(20_000)
  t.strictSame([taken, unusable()], [['1,1', '3,3'], 1])
})

t.test('skips files that are missing for a while', async (t) => {
  const { files, swap } = aMount(t)
  const { watching, clock, taken, lines, unusable } = watched(t, files, new ManualClock())
  watching.start()
  rmSync(path.join(path.dirname(files[0] ?? ''), '..data'))
  clock.pass(10_000)
  t.strictSame([taken, unusable()], [['1,1'], 1])
  t.match(lines.at(-1), /cannot read .*a: ENOENT/)
  swap('2', '2')
  clock.pass(3_000)
  t.strictSame(taken, ['1,1', '2,2'])
})

t.test('start throws if files are missing or unusable', async (t) => {
  t.throws(
    () => { watched(t, ['/none/a'], new ManualClock()).watching.start() },
    { message: /cannot read \/none\/a: ENOENT/ }
  )
  const { files, swap } = aMount(t)
  swap('1', '2')
  t.throws(() => { watched(t, files, new ManualClock()).watching.start() }, { message: 'contents differ' })
})

t.test('reads no file after stop', async (t) => {
  const { files, swap } = aMount(t)
  const { watching, clock, taken } = watched(t, files, new ManualClock())
  watching.start()
  watching.stop()
  swap('2', '2')
  clock.pass(10_000)
  t.strictSame([taken, clock.pending], [['1,1'], 0])
})
