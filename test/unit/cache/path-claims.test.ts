import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { keyText } from '../../../src/api/object-meta.ts'
import type { ParentReference } from '../../../src/api/runtime-config.ts'
import { PathClaims } from '../../../src/cache/path-claims.ts'
import type { HeldPath } from '../../../src/core/world.ts'

const GATEWAY: ParentReference = { namespace: 'a', name: 'gateway' }

function held (name: string, gateway: ParentReference, { path = '/p', since = '' } = {}): HeldPath {
  return { service: { namespace: 'a', name }, gateway, path, since }
}

const overlaps: Record<string, { one: ParentReference, other: ParentReference, want: boolean }> = {
  'the same reference': { one: GATEWAY, other: GATEWAY, want: true },
  'explicit defaults of group and kind': {
    one: GATEWAY,
    other: { ...GATEWAY, group: 'gateway.networking.k8s.io', kind: 'Gateway' },
    want: true
  },
  'another group': { one: GATEWAY, other: { ...GATEWAY, group: '' }, want: false },
  'another kind': { one: GATEWAY, other: { ...GATEWAY, kind: 'Service' }, want: false },
  'another name': { one: GATEWAY, other: { ...GATEWAY, name: 'other' }, want: false },
  'another namespace': { one: GATEWAY, other: { ...GATEWAY, namespace: 'b' }, want: false },
  'one section and every section': { one: { ...GATEWAY, sectionName: 'https' }, other: GATEWAY, want: true },
  'two sections': {
    one: { ...GATEWAY, sectionName: 'https' },
    other: { ...GATEWAY, sectionName: 'http' },
    want: false
  },
  'one port and every port': { one: { ...GATEWAY, port: 443 }, other: GATEWAY, want: true },
  'two ports': { one: { ...GATEWAY, port: 443 }, other: { ...GATEWAY, port: 80 }, want: false },
  'a section and a port': { one: { ...GATEWAY, sectionName: 'https' }, other: { ...GATEWAY, port: 80 }, want: true },
  'the same section on two ports': {
    one: { ...GATEWAY, sectionName: 'https', port: 443 },
    other: { ...GATEWAY, sectionName: 'https', port: 80 },
    want: false
  },
  'two sections on one port': {
    one: { ...GATEWAY, sectionName: 'https', port: 443 },
    other: { ...GATEWAY, sectionName: 'http', port: 443 },
    want: false
  }
}

t.test('claims to one path conflict if their gateways overlap', async (t) => {
  for (const [name, { one, other, want }] of Object.entries(overlaps)) {
    t.test(name, async (t) => {
      for (const [first, second] of [[one, other], [other, one]] as const) {
        const claims = new PathClaims()
        claims.add(held('first', first))
        t.equal([...claims.holders(held('second', second))].length > 0, want)
      }
    })
  }
})

t.test('a service of the same name in another namespace is another service', async (t) => {
  const claims = new PathClaims()
  claims.add(held('first', GATEWAY))
  t.strictSame([...claims.holders(held('first', GATEWAY))], [])
  const other = { ...held('first', GATEWAY), service: { namespace: 'b', name: 'first' } }
  t.equal([...claims.holders(other)].length, 1)
})

t.test('a prefix ends with a segment', async (t) => {
  const claims = new PathClaims()
  const [root, near] = [held('root', GATEWAY, { path: '/' }), held('near', GATEWAY, { path: '/a' })]
  claims.add(root)
  claims.add(near)
  t.strictSame([...claims.above(held('x', GATEWAY, { path: '/a/b' }), 'same namespace')], [root, near])
  t.strictSame([...claims.above(held('x', GATEWAY, { path: '/ab' }), 'same namespace')], [root])
  t.strictSame([...claims.below(held('x', GATEWAY, { path: '/a/b' }), 'same namespace')], [])
})

const segment = fc.constantFrom('a', 'b', 'c')
const anyClaim: fc.Arbitrary<HeldPath> = fc.record({
  service: fc.record({ namespace: fc.constantFrom('x', 'y'), name: fc.constantFrom('1', '2', '3') }),
  gateway: fc.record({
    name: fc.constantFrom('g', 'h'),
    namespace: fc.constant('n'),
    sectionName: fc.constantFrom(undefined, 's', 't'),
    port: fc.constantFrom(undefined, 1, 2)
  }) as fc.Arbitrary<ParentReference>,
  path: fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`),
  since: fc.constant('')
})
const anyChange = fc.tuple(fc.boolean(), anyClaim)

const isOverlapping = <T>(one: T | undefined, other: T | undefined): boolean =>
  one === undefined || other === undefined || one === other
const isBelow = (path: string, other: string): boolean =>
  path !== other && (other === '/' || path.startsWith(`${other}/`))
const texts = (claims: Iterable<HeldPath>): string[] => Array.from(claims, (claim) => JSON.stringify(claim)).sort()

/** The look-ups by comparison with every claim. */
function naiveLookups (claims: readonly HeldPath[], { service, gateway, path }: HeldPath) {
  const others = claims.filter((claim) => keyText(claim.service) !== keyText(service) &&
    claim.gateway.name === gateway.name &&
    isOverlapping(claim.gateway.sectionName, gateway.sectionName) && isOverlapping(claim.gateway.port, gateway.port))
  const inNamespace = others.filter((claim) => claim.service.namespace === service.namespace)
  const elsewhere = others.filter((claim) => claim.service.namespace !== service.namespace)
  return {
    holders: others.filter((claim) => claim.path === path),
    above: [inNamespace, elsewhere].map((each) => each.filter((claim) => isBelow(path, claim.path))),
    below: [inNamespace, elsewhere].map((each) => each.filter((claim) => isBelow(claim.path, path)))
  }
}

t.test('every look-up finds what a comparison with every claim finds', async (t) => {
  fc.assert(fc.property(fc.array(anyChange, { maxLength: 30 }), anyClaim, (changes, sought) => {
    const claims = new PathClaims()
    const stored = new Map<string, HeldPath>()
    for (const [isAdded, claim] of changes) {
      const key = keyText(claim.service)
      const old = stored.get(key)
      if (old !== undefined) claims.remove(old)
      stored.delete(key)
      if (isAdded) {
        claims.add(claim)
        stored.set(key, claim)
      }
    }
    const want = naiveLookups([...stored.values()], sought)
    const scope = ['same namespace', 'other namespaces'] as const
    assert.deepEqual(texts(claims.holders(sought)), texts(want.holders))
    assert.deepEqual(scope.map((each) => texts(claims.above(sought, each))), want.above.map(texts))
    assert.deepEqual(scope.map((each) => texts(claims.below(sought, each))), want.below.map(texts))
  }), { numRuns: 2_000 })
  t.pass()
})
