import t from 'tap'
import type { ParentReference } from '../../../src/api/runtime-config.ts'
import { PathClaims } from '../../../src/cache/path-claims.ts'
import { isOlder } from '../../../src/core/settings/service-path.ts'
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

t.test('equal paths conflict if the gateways overlap', async (t) => {
  for (const [name, { one, other, want }] of Object.entries(overlaps)) {
    t.test(name, async (t) => {
      for (const [first, second] of [[one, other], [other, one]] as const) {
        const claims = new PathClaims()
        claims.add(held('first', first))
        t.equal(claims.holders(held('second', second)).length > 0, want)
      }
    })
  }
})

t.test('a service does not conflict with itself, but with its namesake in another namespace', async (t) => {
  const claims = new PathClaims()
  claims.add(held('first', GATEWAY))
  t.strictSame(claims.holders(held('first', GATEWAY)), [])
  t.equal(claims.holders({ ...held('first', GATEWAY), service: { namespace: 'b', name: 'first' } }).length, 1)
})

t.test('a removed claim frees its path only', async (t) => {
  const claims = new PathClaims()
  const [upper, lower] = [held('upper', GATEWAY, { path: '/a' }), held('lower', GATEWAY, { path: '/a/b' })]
  claims.add(upper)
  claims.add(lower)
  claims.remove(upper)
  t.strictSame(claims.holders(held('x', GATEWAY, { path: '/a' })), [])
  t.strictSame(claims.holders(held('x', GATEWAY, { path: '/a/b' })), [lower])
  t.equal(claims.covered(held('x', GATEWAY, { path: '/' })), lower)
  claims.remove(lower)
  t.equal(claims.covered(held('x', GATEWAY, { path: '/' })), undefined)
})

t.test('prefixes are whole segments, and the nearest is returned', async (t) => {
  const claims = new PathClaims()
  const [root, near] = [held('root', GATEWAY, { path: '/' }), held('near', GATEWAY, { path: '/a' })]
  claims.add(root)
  claims.add(near)
  t.equal(claims.covering(held('x', GATEWAY, { path: '/a/b' })), near)
  t.equal(claims.covering(held('x', GATEWAY, { path: '/ab' })), root)
  t.equal(claims.covered(held('x', GATEWAY, { path: '/a/b' })), undefined)
})

t.test('the first holder is the oldest, then the first by name', async (t) => {
  const [b, a, c] = [
    held('b', GATEWAY, { since: '2026-01-01T00:00:02Z' }),
    held('a', GATEWAY, { since: '2026-01-01T00:00:02Z' }),
    held('c', GATEWAY, { since: '2026-01-01T00:00:01Z' })
  ]
  const claims = new PathClaims()
  for (const claim of [b, a, c]) claims.add(claim)
  t.strictSame(claims.holders(held('x', GATEWAY)), [c, a, b])
  t.strictSame([isOlder(c, a), isOlder(a, b), isOlder(b, a)], [true, true, false])
})
