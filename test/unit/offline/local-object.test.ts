import t from 'tap'
import { localObject, objectTitle } from '../../../src/offline/local-object.ts'

const apiVersion = 'aim.silogen.ai/v1alpha1'

t.test('skips objects of another group or kind', async (t) => {
  t.equal(localObject({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }), undefined)
  t.equal(
    localObject({ apiVersion: 'serving.example.com/v1alpha1', kind: 'AIMService', metadata: { name: 'a' } }),
    undefined
  )
  t.equal(localObject({ apiVersion, kind: 'AIMModel', metadata: { name: 'a' } }), undefined)
})

t.test('a service without a namespace gets the default namespace and defaults', async (t) => {
  const found = localObject({ apiVersion, kind: 'AIMService', metadata: { name: 'a' }, spec: { model: { ref: 'b' } } })
  t.match(found, {
    key: { namespace: 'default', name: 'a' },
    object: { metadata: { namespace: 'default' }, spec: { replicas: 1 } },
    errors: []
  })
  t.equal(found && objectTitle(found), 'AIMService default/a')
})

t.test('a cluster config has no namespace', async (t) => {
  const found = localObject({ apiVersion, kind: 'AIMClusterRuntimeConfig', metadata: { name: 'a', namespace: 'b' } })
  t.same(found?.key, { namespace: '', name: 'a' })
  t.equal(found && objectTitle(found), 'AIMClusterRuntimeConfig a')
})

t.test('another version of our kinds is an error', async (t) => {
  t.match(localObject({ apiVersion: 'aim.silogen.ai/v2', kind: 'AIMRuntimeConfig', metadata: { name: 'a' } })?.errors, [
    { field: 'apiVersion' }
  ])
})

t.test('metadata of another type is an error', async (t) => {
  t.match(localObject({ apiVersion, kind: 'AIMRuntimeConfig', metadata: 'a' }), {
    key: { namespace: '', name: '' },
    errors: [{ field: 'metadata' }]
  })
})
