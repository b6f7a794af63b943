import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import packageJson from '../../../package.json' with { type: 'json' }
import { runStep, stepsOf, unprinted } from '../../support/docs/documented-steps.ts'
import { readPage, ROOT } from '../../support/docs/pages.ts'
import { until } from '../../support/until.ts'

const steps = stepsOf(await readPage('docs/tutorial/getting-started.md'))

/** Commands with exit code 1. */
const EXITS_WITH_1 = /\/team: NLP\/d|--what-if/

t.test('every command without a cluster has the exit code and output of the page', async (t) => {
  const offline = steps.filter(({ under }) => under === 'Without a cluster')
  t.ok(offline.length >= 6)
  for (const { command, printed = '' } of offline) {
    const ran = await runStep(command)
    t.equal(ran.code, EXITS_WITH_1.test(command) ? 1 : 0, `${command}: ${ran.stderr}`)
    t.equal(unprinted(printed, ran), undefined, command)
  }
})

t.test('npm start prints a review that works, and the address of the playground', async (t) => {
  t.same(steps.filter(({ under }) => under.startsWith('The server')).map(({ command }) => command), ['npm start'])
  const child = spawn('bash', ['-c', `exec env ${packageJson.scripts.start}`], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, AIM_ADMISSION_PORT: '0', AIM_ADMISSION_PROBE_PORT: '0' }
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => { printed += chunk.toString() })
  t.teardown(async () => {
    child.kill('SIGINT')
    await once(child, 'exit')
  })
  await until(() => printed.includes('Press Ctrl-C to stop the server.'))
  const [curl = '', decode = ''] = [/^ {2}(curl .*)$/m, /^ {2}… \| (node .*)$/m].map((line) => line.exec(printed)?.[1])
  t.teardown(async () => { await rm(path.dirname(/@(\S+)/.exec(curl)?.[1] ?? ''), { recursive: true }) })
  const { stdout, stderr } = await runStep(`${curl} | ${decode}`)
  t.match(JSON.parse(stdout), [{ path: '/spec/runtimeConfigName' }, { path: '/spec/resolvedRuntimeConfig' }], stderr)
  t.match(printed, /^The same in a browser, while you type: http:\/\/127\.0\.0\.1:\d+\/playground$/m)
})
