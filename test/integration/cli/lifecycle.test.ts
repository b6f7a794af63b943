import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { Pool } from 'undici'
import { aReview } from '../../support/builders/a-review.ts'
import { listening } from '../../support/processes.ts'
import { startProgram } from '../../support/programs/program.ts'
import { reviewLoad } from '../../support/http/review-load.ts'

const SERVE = ['serve', '--manifests', 'deploy/examples', '--port', '0', '--probe-port', '0']

t.jobs = 4 // they wait more than they compute

/** Logs V8's limit of the heap: that of the old space, and three semi-spaces. */
const LOG_LIMIT = `import { getHeapStatistics } from 'node:v8'
console.error(JSON.stringify({ msg: 'limit', mib: getHeapStatistics().heap_size_limit / 1024 ** 2 }))`

t.test('the process of the server has its heap flags, and those of NODE_OPTIONS win', { buffered: true }, async (t) => {
  const options = `--max-old-space-size=200 --import=${t.testdir({ 'hook.mjs': LOG_LIMIT })}/hook.mjs`
  for (const [given, mib] of [['', 200 + 3 * 8], ['--max-semi-space-size=2', 200 + 3 * 2]] as const) {
    const program = startProgram(SERVE, { NODE_OPTIONS: `${options} ${given}` })
    t.match(await program.logged('serving'), { pid: program.pid })
    t.match(program.entries.filter(({ msg }) => msg === 'limit').at(-1), { mib })
    t.ok(program.lines.every((line) => line.startsWith('{')), 'without a warning of Node')
    t.equal(await program.stop(), 0)
  }
})

t.test('SIGTERM fails readiness, drains, and exits with 0', { buffered: true }, async (t) => {
  const program = startProgram([...SERVE, '--drain-min', '2s'])
  const { probeUrl } = await program.logged('serving') as unknown as { probeUrl: string } // what the command logs
  const ended = program.stop()
  await program.logged('shutting down')
  const { status } = await fetch(`${probeUrl}/readyz`)
  t.equal(status, 503)
  t.equal(await ended, 0)
  t.match(program.entries.at(-1), { msg: 'stopped' })
})

t.test('a second signal exits at once with 128 and its number', { buffered: true }, async (t) => {
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    const program = startProgram([...SERVE, '--drain-min', '20s'])
    await program.logged('serving')
    program.signal('SIGTERM')
    await program.logged('shutting down')
    t.equal(await program.stop(signal), code)
  }
})

t.test('an occupied port or an invalid flag prints one line, exit code 2', { buffered: true }, async (t) => {
  const taken = createServer()
  t.teardown(() => { taken.close() })
  const port = await listening(taken)
  const cases: Record<string, { args: string[], want: RegExp }> = {
    port: {
      args: ['--port', String(port)],
      want: /^error: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*; choose another address by --host or --port\n$/
    },
    'probe port': {
      args: ['--probe-port', String(port)],
      want: /^error: cannot listen on .*; choose another address by --host or --probe-port\n$/
    },
    'folder of records': {
      args: ['--record', '/etc/hostname/reviews'],
      want: /^error: cannot record reviews in \/etc\/hostname\/reviews \(--record\): ENOTDIR: .*; give a folder that this process may write to\n$/
    },
    flag: {
      args: ['--drain-min', 'soon'],
      want: /^error: --drain-min must be a duration from 0s to 20s, such as 500ms or 3s, not "soon"\n$/
    }
  }
  for (const { args, want } of Object.values(cases)) {
    const child = spawn('node', ['src/main.ts', ...SERVE, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'exit')])
    t.match(stderr, want)
    t.equal(child.exitCode, 2)
  }
})

t.test('--log-format text logs one line of text per event', { buffered: true }, async (t) => {
  const args = ['src/main.ts', ...SERVE, '--log-format', 'text']
  const child = spawn('node', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let logged = ''
  while (!logged.includes('serving')) logged += String(await once(child.stderr, 'data'))
  t.match(logged, /^\[[\d:.]{12}\] INFO: serving \{"url":"https:.*\}\n$/m)
})

t.test('an unread log delays neither reviews nor the exit', { buffered: true }, async (t) => {
  const child = spawn(
    'node',
    ['src/main.ts', ...SERVE, '--drain-min', '0s', '--drain-quiet', '0s', '--log-level', 'debug'],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  const gone = once(child, 'exit')
  let logged = ''
  let url: string | undefined
  while (url === undefined) {
    logged += String(await once(child.stderr, 'data'))
    url = /"url":"([^"]+)"/.exec(logged)?.[1]
  }
  child.stderr.pause()
  const client = new Pool(url, { connections: 8, connect: { rejectUnauthorized: false } })
  const codes = await Promise.all(Array.from({ length: 6_000 }, async () => {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: '/mutate/aimservices',
      headers: { 'content-type': 'application/json' },
      body: aReview()
    })
    await body.dump()
    return statusCode
  }))
  await client.close()
  t.strictSame(new Set(codes), new Set([200]), 'with more lines than a pipe holds')
  child.kill('SIGTERM')
  await gone
  t.equal(child.exitCode, 0)
})

const DEFECTIVE = { NODE_OPTIONS: '--import=./test/support/programs/defect-on-signal.ts' }
const DEFECTS = {
  'an uncaught exception': { signal: 'SIGUSR2', error: /^Error: an uncaught exception\n {4}at / },
  'an unhandled rejection': { signal: 'SIGHUP', error: /^Error: an unhandled rejection\n {4}at / }
} as const
for (const [name, { signal, error }] of Object.entries(DEFECTS)) {
  t.test(`${name} is logged with its stack, and the server drains and exits with 1`, { buffered: true }, async (t) => {
    const program = startProgram([...SERVE, '--drain-min', '1s'], DEFECTIVE)
    // what the command logs
    const { url, probeUrl } = (await program.logged('serving')) as unknown as { url: string; probeUrl: string }
    const client = new Pool(url, { connections: 1, connect: { rejectUnauthorized: false } })
    const review = async () => {
      const { statusCode, headers, body } = await client.request({
        method: 'POST',
        path: '/mutate/aimservices',
        headers: { 'content-type': 'application/json' },
        body: aReview()
      })
      await body.dump()
      return { statusCode, connection: headers['connection'] }
    }
    t.match(await review(), { statusCode: 200, connection: 'keep-alive' })
    program.signal(signal)
    await program.logged('shutting down')
    t.equal((await fetch(`${probeUrl}/readyz`)).status, 503)
    t.match(await review(), { statusCode: 200, connection: 'close' }, 'reviews still get responses')
    t.equal(await program.stop(signal), 1, 'another defect does not end the drain')
    await client.close()
    const logged = program.entries.filter(({ msg }) => msg === 'uncaught exception, shutting down')
    t.match(logged, [{ level: 50, error }, { level: 50, error }])
    t.match(program.entries.at(-1), { msg: 'stopped' })
  })
}

t.test('the drain ends under continuous load', { buffered: true }, async (t) => {
  const program = startProgram([...SERVE, '--drain-min', '0s', '--drain-quiet', '3s'])
  const { url } = await program.logged('serving') as unknown as { url: string } // what the command logs
  const load = reviewLoad({ url, rate: 5 })
  t.equal(await program.stop(), 0)
  const { sent, failed } = await load.end()
  t.ok(sent - failed.length >= 80, 'reviews get responses until then')
})

t.test('a shutdown that hangs is cut short, exit code 1', { buffered: true }, async (t) => {
  const program = startProgram(SERVE, DEFECTIVE)
  const { probeUrl } = await program.logged('serving') as unknown as { probeUrl: string } // what the command logs
  program.signal('SIGWINCH')
  await fetch(`${probeUrl}/healthz`)
  t.equal(await program.stop(), 1)
  t.match(program.entries.slice(-2), [
    { level: 50, error: 'not complete after 24 s', msg: 'failed to shut down' },
    { msg: 'stopped' }
  ])
})
