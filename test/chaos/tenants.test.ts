import t from 'tap'
import { checkModel } from '../support/tenants/model.ts'

const STEPS = Number(process.env['AIM_MODEL_STEPS'] ?? 100_000)

t.test(`no tenant takes the path of another in ${STEPS} random steps`, { timeout: 3_600_000 }, async (t) => {
  await t.resolves(checkModel(STEPS))
})
