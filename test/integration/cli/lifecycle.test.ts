import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { Pool } from 'undici'
import { aReview } from '../../support/builders/a-review.ts'
import { startProgram } from '../../support/programs/program.ts'
import { reviewLoad } from '../../support/http/review-load.ts'

const SERVE = ['serve', '--manifests', 'deploy/examples', '--port', '0', '--probe-port', '0']

t.jobs = 4 // they wait for the most part

t.test('SIGTERM: readiness fails at once, the server still answers for a while, then it ends with 0', { buffered: true }, async (t) => {
  const program = startProgram([...SERVE, '--drain-min', '2s'])
  const { probeUrl } = await program.logged('serving') as unknown as { probeUrl: string } // what the command logs
  const started = performance.now()
  const ended = program.stop()
  await program.logged('stopping')
  const { status } = await fetch(`${probeUrl}/readyz`)
  t.equal(status, 503)
  t.equal(await ended, 0)
  t.ok(performance.now() - started >= 2_000)
  t.match(program.entries.at(-1), { msg: 'stopped' })
})

t.test('a second signal ends it at once, with 128 and its number', { buffered: true }, async (t) => {
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    const program = startProgram([...SERVE, '--drain-min', '20s'])
    await program.logged('serving')
    program.signal('SIGTERM')
    await program.logged('stopping')
    t.equal(await program.stop(signal), code)
  }
})

t.test('a port that is taken, and a flag that cannot be used, are one line and exit code 2', { buffered: true }, async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as AddressInfo // it listens on a port
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
      args: ['--record', '/etc/hostname/reviews'], want: /^error: cannot record reviews in \/etc\/hostname\/reviews \(--record\): ENOTDIR: .*; give a folder that this process may write to\n$/
    },
    flag: {
      args: ['--drain-min', 'soon'],
      want: /^error: --drain-min is a time from 0s to 20s, such as 500ms or 3s, not "soon"\n$/
    }
  }
  for (const { args, want } of Object.values(cases)) {
    const child = spawn('node', ['src/main.ts', ...SERVE, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'exit')])
    t.match(stderr, want)
    t.equal(child.exitCode, 2)
  }
})

t.test('a log that nobody reads holds nothing up: reviews are answered, and the process ends', { buffered: true }, async (t) => {
  const child = spawn(
    'node',
    ['src/main.ts', ...SERVE, '--drain-min', '0s', '--drain-quiet', '0s', '--log-level', 'debug'],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  const gone = once(child, 'exit')
  let said = ''
  for (let url = ''; url === ''; url = /"url":"([^"]+)"/.exec(said)?.[1] ?? '') { said += String(await once(child.stderr, 'data')) }
  const url = /"url":"([^"]+)"/.exec(said)?.[1] ?? ''
  child.stderr.pause()
  const client = new Pool(url, { connections: 8, connect: { rejectUnauthorized: false } })
  const answers = await Promise.all(Array.from({ length: 6_000 }, async () => {
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
  t.strictSame(new Set(answers), new Set([200]), 'more lines than any pipe holds')
  child.kill('SIGTERM')
  await gone
  t.equal(child.exitCode, 0)
})

const DEFECTIVE = { NODE_OPTIONS: '--import=./test/support/programs/defect-on-signal.ts' }
const DEFECTS = {
  'an error that nobody caught': { signal: 'SIGUSR2', error: /^Error: a defect that nobody caught\n {4}at / },
  'a rejection that nobody caught': { signal: 'SIGHUP', error: /^Error: a rejection that nobody caught\n {4}at / }
} as const
for (const [name, { signal, error }] of Object.entries(DEFECTS)) {
  t.test(`${name} is logged with its place, and the server drains and ends with 1`, { buffered: true }, async (t) => {
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
    await program.logged('stopping')
    t.equal((await fetch(`${probeUrl}/readyz`)).status, 503)
    t.match(await review(), { statusCode: 200, connection: 'close' }, 'reviews are still answered')
    t.equal(await program.stop(signal), 1, 'another defect cuts nothing short')
    await client.close()
    const logged = program.entries.filter(({ msg }) => msg === 'an error was caught by nobody, and the program ends')
    t.match(logged, [{ level: 50, error }, { level: 50, error }])
    t.match(program.entries.at(-1), { msg: 'stopped' })
  })
}

t.test('a server that is asked for ever ends all the same, after 20 s', { buffered: true }, async (t) => {
  const program = startProgram([...SERVE, '--drain-min', '0s', '--drain-quiet', '3s'])
  const { url } = await program.logged('serving') as unknown as { url: string } // what the command logs
  const load = reviewLoad({ url, rate: 5 })
  const started = performance.now()
  t.equal(await program.stop(), 0)
  const took = performance.now() - started
  t.ok(took > 20_000, `${took} ms`)
  const { sent, failed } = await load.end()
  t.ok(sent - failed.length >= 80, 'and answers until then')
})

t.test('a stop that takes too long is cut short, with 1', { buffered: true }, async (t) => {
  const program = startProgram(SERVE, DEFECTIVE)
  const { probeUrl } = await program.logged('serving') as unknown as { probeUrl: string } // what the command logs
  program.signal('SIGWINCH')
  await fetch(`${probeUrl}/healthz`)
  const started = performance.now()
  t.equal(await program.stop(), 1)
  const took = performance.now() - started
  t.ok(took > 23_000, `${took} ms`)
  t.match(program.entries.slice(-2), [
    { level: 50, seconds: 24, msg: 'the stop takes too long, and is cut short' },
    { msg: 'stopped' }
  ])
})
