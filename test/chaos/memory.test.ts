import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { aWorkplace, startProduct } from '../../bench/product.ts'
import { memoryGroup } from '../support/memory-group.ts'
import { reviewLoad } from '../support/review-load.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const LIMIT_MIB = 256

/** What an image runs, with the flags that it gives Node; built here as the image builds it. */
async function program (): Promise<string[]> {
  await promisify(execFile)(path.join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], { cwd: ROOT })
  const [, entrypoint = '[]'] = /^ENTRYPOINT (.*)$/m.exec(await readFile(path.join(ROOT, 'Dockerfile'), 'utf8')) ?? []
  return (JSON.parse(entrypoint) as string[]).slice(1) // the form without a shell is JSON; what Node runs stands behind `node`
}

t.test(`100,000 services and 10,000 configurations fit into a container of ${LIMIT_MIB} MiB`, { timeout: 300_000 }, async (t) => {
  const [workplace, group] = await Promise.all([aWorkplace(), memoryGroup(LIMIT_MIB * 1024 * 1024)])
  t.comment(group === undefined ? 'this machine lets nobody make a control group: the memory is looked at, not bounded' : 'in a control group')
  for (const command of ['serve', 'reconcile'] as const) {
    const product = await startProduct({ workplace, program: await program(), configs: 10_000, services: 100_000, command, group: group?.processes })
    t.comment(`${command}: ready after ${Math.round(product.readyAfter)} ms, ${Math.round(product.resident())} MiB resident`)
    if (command === 'serve') {
      const load = reviewLoad({ url: product.url.href, ca: workplace.ca, rate: 200 })
      for (let change = 0; change < 100; change++) {
        await product.change(change, 1)
        await delay(50)
      }
      const { sent, failed } = await load.end()
      t.ok(sent > 100)
      t.strictSame(failed, [])
    } else t.equal((await fetch(`${product.probeUrl ?? ''}/readyz`)).status, 200)
    if (group === undefined) t.ok(product.resident() < LIMIT_MIB, `${Math.round(product.resident())} MiB`)
    await product.stop()
  }
  await group?.remove()
  await workplace.remove()
})
