import t from 'tap'
import { bundlePatch, caBundleOf, readRegistration } from '../../../certs/trust.ts'
import { FakeObjectStore } from '../../support/fakes/fake-object-store.ts'
import { aCa } from '../../support/builders/certificate-sets.ts'

const [first, second] = [await aCa('first'), await aCa('second')]
const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/aim-admission'

function aConfiguration (...bundles: Array<string | undefined>) {
  const webhooks = bundles.map((caBundle, index) => ({
    name: index === 0 ? 'theirs' : `ours-${index}`, clientConfig: { service: { namespace: 'aim-system', name: 'aim-admission' }, ...(caBundle !== undefined && { caBundle }) }
  }))
  return { metadata: { name: 'aim-admission', resourceVersion: '7' }, webhooks }
}

const read = (configuration: object) => readRegistration(PATH, configuration as never, new Set(['ours-1', 'ours-2']))

const cases: Record<string, { bundles: Array<string | undefined>, wanted?: typeof first[], patched: number[] }> = {
  'bundles that are right': { bundles: ['', caBundleOf([first]), caBundleOf([first])], patched: [] },
  'bundles in another order': {
    bundles: ['', caBundleOf([second, first]), caBundleOf([first, second])],
    wanted: [first, second],
    patched: []
  },
  'a bundle that is not there': { bundles: ['', undefined, caBundleOf([first])], patched: [1] },
  'a bundle of somebody else': { bundles: ['', caBundleOf([first]), caBundleOf([second])], patched: [2] },
  'a bundle with one too many': { bundles: ['', caBundleOf([first, second]), caBundleOf([first])], patched: [1] },
  'a bundle that is no certificate': { bundles: ['', 'AAAA', caBundleOf([first])], patched: [1] },
  'a bundle with a remark': {
    bundles: ['', Buffer.from(`# ours\n${first.certPem}`).toString('base64'), caBundleOf([first])],
    patched: [1]
  }
}
for (const [name, { bundles, wanted = [first], patched }] of Object.entries(cases)) {
  t.test(`${name}: webhooks ${patched.join() || 'none'} of the configuration are written`, async (t) => {
    const writes = bundlePatch(read(aConfiguration(...bundles)), wanted).filter(({ op }) => op === 'add')
    t.strictSame(
      writes,
      patched.map((index) => ({
        op: 'add',
        path: `/webhooks/${index}/clientConfig/caBundle`,
        value: caBundleOf(wanted)
      }))
    )
  })
}

const changes: Record<string, object> = {
  'that was given another bundle': aConfiguration('', caBundleOf([first, second]), caBundleOf([first, second])),
  'whose webhooks changed their places': {
    ...aConfiguration('', '', ''),
    webhooks: aConfiguration('', '', '').webhooks.reverse()
  }
}
for (const [name, change] of Object.entries(changes)) {
  t.test(`a configuration ${name} since it was read is not written`, async (t) => {
    const store = new FakeObjectStore()
    const operations = bundlePatch(read(aConfiguration('', '', '')), [first])
    store.put(PATH, change as never)
    t.strictSame(await store.patch(PATH, operations), { kind: 'outdated' })
  })
}
