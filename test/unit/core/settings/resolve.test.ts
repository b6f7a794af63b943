import t from 'tap'
import { resolveConfig } from '../../../../src/core/settings/resolve.ts'

t.test('is missing where neither place has it', async (t) => {
  const lookup = { namespaced: () => undefined, cluster: () => undefined }
  t.same(resolveConfig({ namespace: 'a', name: 'b' }, lookup), { kind: 'missing', ref: { namespace: 'a', name: 'b' } })
})
