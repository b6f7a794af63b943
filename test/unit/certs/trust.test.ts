import t from 'tap'
import { bundlePatch, caBundleOf, readRegistration } from '../../../certs/trust.ts'
import { FakeObjectStore } from '../../support/fakes/fake-object-store.ts'
import { aCa } from '../../support/builders/certificate-sets.ts'

const [first, second] = [await aCa('first'), await aCa('second')]
const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/aim-admission'

function aConfiguration (...bundles: Array<string | undefined>) {
  const webhooks = bundles.map((caBundle, index) => ({
    name: index === 0 ? 'theirs' : `ours-${index}`,
    clientConfig: {
      service: { namespace: 'aim-system', name: 'aim-admission' }, ...(caBundle !== undefined && { caBundle })
    }
  }))
  return { metadata: { name: 'aim-admission', resourceVersion: '7' }, webhooks }
}

const read = (configuration: object) => readRegistration(PATH, configuration as never, new Set(['ours-1', 'ours-2']))

const cases: Record<string, { bundles: Array<string | undefined>, target?: typeof first[], patched: number[] }> = {
  'correct bundles': { bundles: ['', caBundleOf([first]), caBundleOf([first])], patched: [] },
  'bundles in another order': {
    bundles: ['', caBundleOf([second, first]), caBundleOf([first, second])],
    target: [first, second],
    patched: []
  },
  'a missing bundle': { bundles: ['', undefined, caBundleOf([first])], patched: [1] },
  'a bundle of another CA': { bundles: ['', caBundleOf([first]), caBundleOf([second])], patched: [2] },
  'a bundle with one CA too many': { bundles: ['', caBundleOf([first, second]), caBundleOf([first])], patched: [1] },
  'a bundle without a certificate': { bundles: ['', 'AAAA', caBundleOf([first])], patched: [1] },
  'a bundle with a comment': {
    bundles: ['', Buffer.from(`# ours\n${first.certPem}`).toString('base64'), caBundleOf([first])],
    patched: [1]
  }
}
for (const [name, { bundles, target = [first], patched }] of Object.entries(cases)) {
  t.test(`${name}: writes ${patched.length === 0 ? 'no webhook' : `webhook ${patched.join()}`}`, async (t) => {
    const writes = bundlePatch(read(aConfiguration(...bundles)), target).filter(({ op }) => op === 'add')
    t.strictSame(
      writes,
      patched.map((index) => ({
        op: 'add',
        path: `/webhooks/${index}/clientConfig/caBundle`,
        value: caBundleOf(target)
      }))
    )
  })
}

const changes: Record<string, object> = {
  'another bundle': aConfiguration('', caBundleOf([first, second]), caBundleOf([first, second])),
  'another order of webhooks': {
    ...aConfiguration('', '', ''),
    webhooks: aConfiguration('', '', '').webhooks.reverse()
  }
}
for (const [name, change] of Object.entries(changes)) {
  t.test(`does not write a configuration that got ${name} after it was read`, async (t) => {
    const store = new FakeObjectStore()
    const operations = bundlePatch(read(aConfiguration('', '', '')), [first])
    store.put(PATH, change as never)
    t.strictSame(await store.patch(PATH, operations), { kind: 'conflict' })
  })
}
