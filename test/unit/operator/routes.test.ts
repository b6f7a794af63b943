import t from 'tap'
import { mergeSpecs, operatorPath, wantedRoute } from '../../support/operator/routes.ts'

const SERVICE = {
  metadata: {
    namespace: 'ml-team',
    name: 'llama',
    uid: 'u-1',
    labels: { team: 'My_Team', 'a.b/c': 'X:Y', nested: 'a/b', empty: '' }
  },
  spec: {}
}

const PATHS: ReadonlyArray<readonly [string, string | undefined]> = [
  ['/{.metadata.namespace}/{.metadata.name}', '/ml-team/llama'],
  ["/{.metadata.labels['team']}", '/my-team'],
  ['/{.metadata.labels.team}', '/my-team'],
  ["/{.metadata.labels['a.b/c']}", '/x-y'],
  ['/{.metadata.labels.a\\.b/c}', '/x-y'],
  ['/{.metadata.labels.nested}', '/a/b'],
  ['/a/{.metadata.labels.empty}/b', '/a/b'],
  ['/A_b//C/', '/a-b/c'],
  ['no-slash', '/no-slash'],
  ['/a--b/-c-/v1.2', '/a--b/-c-/v1.2'],
  [`/${'x'.repeat(70)}`, `/${'x'.repeat(63)}`],
  ["/{.metadata.labels['missing']}", undefined],
  ['/{.metadata.labels}', undefined],
  ['/{', undefined]
]

for (const [template, want] of PATHS) {
  t.test(`${template} is served at ${want ?? 'no path'}`, async (t) => {
    t.equal(operatorPath(template, SERVICE), want)
  })
}

t.test('configurations are merged field by field, lists are not', async (t) => {
  t.strictSame(mergeSpecs(
    { routing: { enabled: true, gatewayRef: { name: 'a' } }, imagePullSecrets: [{ name: 'a' }], model: { x: 1 } },
    { routing: { enabled: false }, imagePullSecrets: [{ name: 'b' }] }
  ), { routing: { enabled: false, gatewayRef: { name: 'a' } }, imagePullSecrets: [{ name: 'b' }], model: { x: 1 } })
})

const GATEWAY = { name: 'gw' }
const withRouting = (routing: object) => ({ ...SERVICE, spec: { routing } })

const ROUTES: Readonly<Record<string, readonly [object | undefined, object, object]>> = {
  'routing of the configuration': [
    undefined, { enabled: true, gatewayRef: GATEWAY },
    { kind: 'route', path: '/ml-team/u-1', gateway: GATEWAY, isOwn: false }
  ],
  'routing of the service': [
    { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/own' }, { enabled: false, pathTemplate: '/other' },
    { kind: 'route', path: '/own', gateway: GATEWAY, isOwn: true }
  ],
  'routing off on the service': [
    { enabled: false }, { enabled: true, gatewayRef: GATEWAY }, { kind: 'none', reason: 'RoutingDisabled' }
  ],
  'no routing at all': [undefined, {}, { kind: 'none', reason: 'RoutingDisabled' }],
  'a template that fails': [
    { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/{.spec.none}' }, {},
    { kind: 'none', reason: 'TemplateFailed' }
  ],
  'no gateway': [{ enabled: true }, {}, { kind: 'none', reason: 'NoGateway' }]
}

for (const [name, [routing, inherited, want]] of Object.entries(ROUTES)) {
  t.test(`${name} makes ${JSON.stringify(want)}`, async (t) => {
    t.strictSame(wantedRoute(routing === undefined ? SERVICE : withRouting(routing), { routing: inherited }), want)
  })
}
