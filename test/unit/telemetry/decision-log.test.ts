import t from 'tap'
import { limitedLog } from '../../../src/telemetry/decision-log.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/** A limited log and the written lines. */
function logged () {
  const clock = new ManualClock()
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const write = (level: string) => (keys: object, msg: string): void => { lines.push({ level, ...keys, msg }) }
  const log = limitedLog({ info: write('info'), warn: write('warn'), error: write('error') }, clock)
  return { clock, log, lines, of: (namespace: string) => lines.filter((line) => line['namespace'] === namespace) }
}

for (const level of ['info', 'warn', 'error'] as const) {
  t.test(`a namespace that floods the log at ${level} leaves out only its own lines`, async (t) => {
    const { log, of, lines, clock } = logged()
    for (let line = 0; line < 1_000; line++) log[level]({ namespace: 'evil', line }, 'review ended')
    for (let line = 0; line < 20; line++) log[level]({ namespace: 'victim', line }, 'review ended')
    log[level]({ reason: 'of no namespace' }, 'review ended')
    t.equal(of('evil').length, 20)
    t.equal(of('victim').length, 20)
    t.equal(lines.length, 41)
    clock.pass(10_000)
    log[level]({ namespace: 'evil' }, 'review ended')
    log[level]({ namespace: 'victim' }, 'review ended')
    t.equal(of('evil').at(-1)?.['leftOut'], 980)
    t.equal(of('victim').at(-1)?.['leftOut'], undefined)
  })
}

t.test('messages have limits of their own within a namespace', async (t) => {
  const { log, lines } = logged()
  for (let line = 0; line < 100; line++) log.warn({ namespace: 'evil' }, 'failed to index object')
  log.warn({ namespace: 'evil' }, 'work failed repeatedly, retrying')
  t.equal(lines.length, 21)
})

t.test('invented namespaces share a limit beyond the 2,000th, and expired ones make room', async (t) => {
  const { log, lines, of, clock } = logged()
  const flood = (): void => {
    for (let line = 0; line < 50_000; line++) log.info({ namespace: `invented-${line}` }, 'review ended')
  }
  log.info({ namespace: 'victim' }, 'review ended')
  flood()
  t.ok(lines.length <= 2_000 + 20, String(lines.length))
  log.info({ namespace: 'victim' }, 'review ended')
  t.equal(of('victim').length, 2, 'a known namespace keeps its limit')
  clock.pass(10_000)
  log.info({ namespace: 'late' }, 'review ended')
  t.equal(of('late').length, 1)
  flood()
  t.ok(lines.length <= 2 * (2_000 + 20) + 3, String(lines.length))
})
