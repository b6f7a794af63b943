import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { closedLoop, openConnections, requestOf } from '../../../bench/support/load.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'

const REVIEWS = 4_000
/** Bytes of heap per review. The load in this process keeps 1,800; a retained review keeps 5,000 more. */
const MOST_KEPT = 3_500

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as (options?: { type: 'minor' }) => void // provided by V8

t.test('minor garbage collections free all memory of a review', async (t) => {
  const { url } = await anAdmissionServer(t)
  const connections = await openConnections({ url: new URL(url), ca: testPair.caPem }, 4)
  const requests = [requestOf('/mutate/aimservices', aReview())]
  await closedLoop(connections, requests, REVIEWS) // until the code is compiled
  gc()
  const before = process.memoryUsage().heapUsed
  for (let part = 0; part < 8; part++) {
    await closedLoop(connections, requests, REVIEWS / 8)
    gc({ type: 'minor' })
  }
  gc({ type: 'minor' })
  const kept = (process.memoryUsage().heapUsed - before) / REVIEWS
  for (const connection of connections) connection.close()
  t.ok(kept < MOST_KEPT, `${Math.round(kept)} bytes per review`)
})
