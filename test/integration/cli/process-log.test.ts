import t from 'tap'
import { openProcessLog } from '../../../src/telemetry/process-log.ts'

t.test('what is logged after the end is left out, and nobody is thrown at', async (t) => {
  const { log, abandon } = openProcessLog('error')
  abandon()
  t.doesNotThrow(() => { log.error('late') })
})
