import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { aWorkplace, shippedProgram, startProduct } from '../../bench/support/product.ts'
import { memoryGroup } from '../support/programs/memory-group.ts'
import { reviewLoad } from '../support/http/review-load.ts'

const LIMIT_MIB = 256

t.test(`100,000 services and 10,000 configurations fit into a container of ${LIMIT_MIB} MiB`, { timeout: 300_000 }, async (t) => {
  const [workplace, group] = await Promise.all([aWorkplace(), memoryGroup(LIMIT_MIB * 1024 * 1024)])
  t.comment(
    group === undefined
      ? 'no control group can be created here: the memory is measured, not bounded'
      : 'in a control group'
  )
  for (const command of ['serve', 'reconcile'] as const) {
    const product = await startProduct({
      workplace,
      program: await shippedProgram(),
      configs: 10_000,
      services: 100_000,
      command,
      group: group?.processes
    })
    t.comment(
      `${command}: ready after ${Math.round(product.readyAfter)} ms, ${Math.round(product.resident())} MiB resident`
    )
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
