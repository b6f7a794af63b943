import t from 'tap'
import { openProcessLog } from '../../../src/telemetry/process-log.ts'

t.test('ignores log lines after its end', async (t) => {
  const { log, abandon } = await openProcessLog('error')
  abandon()
  t.doesNotThrow(() => { log.error('late') })
})
