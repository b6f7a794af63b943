import t from 'tap'
import { checkModel } from '../../support/tenants/model.ts'

/** A small run; `npm run test:chaos` takes many more steps. */
const STEPS = 3_000
/** The same steps each time; the chaos suite takes others. */
const SEED = 1

t.test('no tenant takes the path of another, whatever the order of writes, watches and work', async () => {
  await checkModel(STEPS, SEED)
})
