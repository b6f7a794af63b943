import type { JsonObject } from '../../../src/platform/json.ts'

const OWNER = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a', uid: 'u' }
const long = (length: number): string => 'a'.repeat(length)
const KEYS = [
  'a', 'A', 'a_b.c-d', '1', long(63), long(64), '', 'a b', '-a', 'a-', 'a/b/c', '/a', 'a/', 'a/b', 'a.b/c', 'a..b/c',
  'A.b/c',
  'a_b/c', '-a.b/c', `${long(253)}/a`, `${long(254)}/a`, `${long(63)}.b/c`, `${long(64)}.b/c`, 'a/-b',
  `a.b/${long(63)}`,
  `a.b/${long(64)}`, 'ä', 'a/ä', 'a.b./c', 'aim.silogen.ai/rollout', 'a\nb'
]
const VALUES: readonly unknown[] = ['', 'a', 'A_b.c-1', '-a', 'a-', 'a b', long(63), long(64), 'ä', 1, true, null,
  {}, [], 'a/b']
const WRONG: readonly unknown[] = ['a', 1, true, [], {}, ['a'], [1], [null], [{}], '']
const KIB_256 = 256 * 1_024

/** The metadata of objects, beside a valid name. The API server judges each as the offline validator does. */
export const METADATA_CASES: readonly JsonObject[] = [
  {},
  ...KEYS.map((key) => ({ labels: { [key]: 'a' } })),
  ...KEYS.map((key) => ({ annotations: { [key]: 'a' } })),
  ...KEYS.map((key) => ({ finalizers: [key] })),
  ...VALUES.map((value) => ({ labels: { a: value } })),
  ...VALUES.map((value) => ({ annotations: { a: value } })),
  ...[
    'labels', 'annotations', 'finalizers', 'ownerReferences', 'generateName', 'uid', 'generation',
    'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'managedFields'
  ].flatMap((field) => WRONG.map((value) => ({ [field]: value }))),
  ...WRONG.filter((value) => value !== 'a').map((namespace) => ({ namespace })),
  ...[
    OWNER, ...Object.keys(OWNER).flatMap((field) => [{ ...OWNER, [field]: '' }, { ...OWNER, [field]: 1 }]),
    ...Object.keys(OWNER).map((field) => Object.fromEntries(Object.entries(OWNER).filter(([key]) => key !== field))),
    { ...OWNER, controller: true, blockOwnerDeletion: false }, { ...OWNER, controller: 'true' },
    { ...OWNER, blockOwnerDeletion: 1 }, { ...OWNER, other: 1 }, { ...OWNER, apiVersion: 'v1' },
    { ...OWNER, apiVersion: 'a/b/c' }, { ...OWNER, apiVersion: 'a/' }, { ...OWNER, apiVersion: '/v1' },
    { ...OWNER, apiVersion: '/' }, { ...OWNER, apiVersion: 'v1', kind: 'Event' }, {
      ...OWNER,
      apiVersion: '/v1',
      kind: 'Event'
    },
    { ...OWNER, kind: 'Event' }, { ...OWNER, name: 'A b' }
  ].map((owner) => ({ ownerReferences: [owner] })),
  { ownerReferences: [{ ...OWNER, controller: true }, { ...OWNER, uid: 'v', controller: true }] },
  { ownerReferences: [{ ...OWNER, controller: true }, { ...OWNER, uid: 'v', controller: false }] },
  { annotations: { a: long(KIB_256 - 1) } },
  { annotations: { a: long(KIB_256) } },
  { annotations: { a: 'ä'.repeat(KIB_256 / 2 - 1), b: '' } },
  { annotations: { a: 'ä'.repeat(KIB_256 / 2), b: '' } },
  ...['2026-01-01T00:00:00Z', '2026-01-01T00:00:00+01:00', '2026-01-01T00:00:00.5Z', '2026-01-01',
    '2026-13-01T00:00:00Z']
    .flatMap((time) => [{ creationTimestamp: time }, { deletionTimestamp: time }]),
  {
    creationTimestamp: null,
    labels: null,
    finalizers: null,
    ownerReferences: null,
    generateName: null,
    generation: null
  },
  { generateName: 'a-', uid: 'u', generation: 5, deletionGracePeriodSeconds: 30, selfLink: '/a', managedFields: [] },
  { generateName: 'A' }, { generateName: long(300) },
  { other: 1 }, { clusterName: 'a' },
  ...['A', 'a b', 'a..b', long(253), long(254), 'a.b-c.1', '-a', 'a.', 1, null, {}].map((name) => ({ name })),
  { name: '', generateName: 'a-' }, { name: null, generateName: 'a-' }, { name: '', generateName: '' },
  { name: '' }, { name: '', generateName: 'a_' }, { name: '', generateName: long(260) }, { name: '', generateName: '-' }
]
