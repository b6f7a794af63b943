import { registerHooks } from 'node:module'
import t from 'tap'
import { loadClient, loadKubeConfig } from '../../../src/kube/client/kube-config.ts'
import { proxyFromEnvironment } from '../../../src/kube/client/proxy.ts'
import { askOracle } from '../../support/binaries/jsonpath-oracle.ts'
import { kubeconfigOracle } from '../../support/binaries/kubernetes-binaries.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

t.test('the kubeconfig reader loads no generated models and no typed APIs', async (t) => {
  const loaded: string[] = []
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url)
      return next(url, context)
    }
  })
  t.teardown(() => { hooks.deregister() })
  const { KubeConfig } = await loadClient()
  t.ok(loaded.some((url) => url.endsWith('/@kubernetes/client-node/dist/config.js')))
  t.strictSame(loaded.filter((url) => /client-node\/dist\/gen\/(?:models|apis|types)\//.test(url)), [])
  const config = new KubeConfig()
  config.loadFromOptions({
    clusters: [{ name: 'c', server: 'https://127.0.0.1:6443' }],
    users: [{ name: 'u', token: 'secret' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x'
  })
  const headers = new Map<string, string>()
  const request = {
    setHeaderParam: (name: string, value: string) => { headers.set(name, value) },
    setAgent: () => {},
    setDispatcher: () => {}
  }
  await config.applySecurityAuthentication(request as never) // the part of a RequestContext that it calls
  t.equal(headers.get('Authorization'), 'Bearer secret')
})

const ORACLE = await kubeconfigOracle()

interface Loaded {
  readonly error?: string
  readonly server?: string
  readonly namespace?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly insecure?: boolean
  readonly serverName?: string
  readonly proxy?: string
  readonly impersonate?: {
    UserName: string, UID: string, Groups: string[] | null, Extra: Record<string, string[]> | null
  }
}

const CLUSTER = { server: 'https://a.example:6443' }

function file (
  { user = {}, cluster = CLUSTER, context = {}, name = 'x' }:
  { user?: JsonObject, cluster?: JsonObject, context?: JsonObject, name?: string }, more: JsonObject = {}
): string {
  return JSON.stringify({
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: name, ...context } }],
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    ...more
  })
}

const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'login', interactiveMode: 'Never' }

/** The content of each file, in the order of KUBECONFIG; undefined is missing. */
const fileCases: Record<string, readonly (string | undefined)[]> = {
  'one file': [file({ user: { token: 'one' } })],
  'equal names in two files': [file({ user: { token: 'one' } }), file({ user: { token: 'two', username: 'u' } })],
  'a first file without current context': [file({}, { 'current-context': '' }), file({ name: 'y' })],
  'a second file with another current context': [file({}), file({ name: 'y', cluster: { server: 'https://b' } })],
  'a context, cluster and user in three files': [
    '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}',
    '{"clusters": [{"name": "x", "cluster": {"server": "https://b"}}]}', file({ user: { token: 'three' } })
  ],
  'a missing file first': [undefined, file({})],
  'a missing file last': [file({}), undefined],
  'only missing files': [undefined, undefined],
  'an empty file': ['', file({})],
  'only an empty file': [''],
  'a file of comments': ['# nothing\n', file({})],
  'a file with null sections': ['{"clusters": null, "users": null, "contexts": null}', file({})],
  'a malformed file beside a good one': [file({}), '{'],
  'a list': ['[]'],
  'another kind': [file({}, { kind: 'Pod', apiVersion: 'v1' })],
  'its own kind': [file({}, { kind: 'Config', apiVersion: 'v1' })],
  'an unknown field': [file({}, { unknown: 1 })],
  'a duplicate name in one file': [file({}, {
    users: [{ name: 'x', user: { token: 'one' } }, { name: 'x', user: { token: 'two' } }]
  })],
  'an unused cluster without server': [file({}, {
    clusters: [{ name: 'z', cluster: {} }, { name: 'x', cluster: CLUSTER }]
  })],
  'no current context': [file({}, { 'current-context': '' })],
  'an unknown current context': [file({}, { 'current-context': 'z' })],
  'an unknown cluster': [file({ context: { cluster: 'z' } })],
  'an unknown user': [file({ context: { user: 'z' } })],
  'a context without user': [file({ context: { user: '' }, user: { token: 'one' } })],
  'a cluster without server': [file({ cluster: { 'insecure-skip-tls-verify': true } })],
  'a namespace': [file({ context: { namespace: 'ml' } })],
  'a server with a path': [file({ cluster: { server: 'https://a.example/k8s/c/' } })],
  'a server without TLS': [file({ cluster: { server: 'http://a.example:8001' }, user: { token: 'one' } })],
  'a server without scheme': [file({ cluster: { server: 'localhost:8001' }, user: { token: 'one' } })],
  'an upper-case scheme': [file({ cluster: { server: 'HTTPS://a.example' }, user: { token: 'one' } })],
  'a relative authority': [file({ cluster: { ...CLUSTER, 'certificate-authority': 'ca.crt' } })],
  'a missing authority': [file({ cluster: { ...CLUSTER, 'certificate-authority': 'none.crt' } })],
  'an authority twice': [file({
    cluster: { ...CLUSTER, 'certificate-authority': 'ca.crt', 'certificate-authority-data': 'QQ==' }
  })],
  'no verification': [file({ cluster: { ...CLUSTER, 'insecure-skip-tls-verify': true } })],
  'a server name': [file({ cluster: { ...CLUSTER, 'tls-server-name': 'b.example' } })],
  'a relative client certificate': [file({ user: { 'client-certificate': 'ca.crt', 'client-key': 'ca.crt' } })],
  'a missing client certificate': [file({ user: { 'client-certificate': 'none.crt', 'client-key': 'ca.crt' } })],
  'a client certificate without key': [file({ user: { 'client-certificate': 'ca.crt' } })],
  'a relative token file': [file({ user: { tokenFile: 'ca.crt' } })],
  'a missing token file': [file({ user: { tokenFile: 'none' } })],
  'a user name': [file({ user: { username: 'me', password: 'secret' } })],
  'a token and a user name': [file({ user: { token: 'one', username: 'me' } })],
  'a proxy': [file({ cluster: { ...CLUSTER, 'proxy-url': 'http://proxy.example:3128' } })],
  'a proxy without scheme': [file({ cluster: { ...CLUSTER, 'proxy-url': 'proxy.example:3128' } })],
  impersonation: [file({
    user: { as: 'jane', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'a.b/c': ['1', '2'] } }
  })],
  'impersonation without TLS': [file({ cluster: { server: 'http://a.example' }, user: { as: 'jane' } })],
  'groups without a user': [file({ user: { 'as-groups': ['a'] } })],
  'an exec plugin without apiVersion': [file({ user: { exec: { ...exec, apiVersion: '' } } })],
  'an exec plugin without command': [file({ user: { exec: { ...exec, command: '' } } })],
  'an exec plugin without mode': [file({ user: { exec: { ...exec, interactiveMode: undefined } } })],
  'an exec plugin with an unknown mode': [file({ user: { exec: { ...exec, interactiveMode: 'Often' } } })],
  'an exec plugin beside an auth provider': [file({ user: { exec, 'auth-provider': { name: 'oidc' } } })],
  'an exec plugin with an unnamed variable': [file({ user: { exec: { ...exec, env: [{ value: 'v' }] } } })],
  'a numeric token': [file({ user: { token: 7 } })],
  'users that are an object': [file({}, { users: {} })]
}

t.test('loads what client-go loads:', async (t) => {
  for (const [name, contents] of Object.entries(fileCases)) {
    t.test(name, async (t) => {
      const folder = t.testdir({
        'ca.crt': 'text',
        ...Object.fromEntries(contents.flatMap((text, i) => text === undefined ? [] : [[`${i}`, text]]))
      })
      const files = contents.map((_, i) => `${folder}/${i}`)
      const [wanted] = await askOracle<Loaded>(ORACLE, [{ files }])
      t.strictSame(comparable(await ours({ file: files })), comparable(wanted ?? {}))
    })
  }
  t.test('--kubeconfig with a missing file, and --context', async (t) => {
    const folder = t.testdir({ one: file({}), two: file({ name: 'y', cluster: { server: 'https://b' } }) })
    const [missing, context, unknown] = await askOracle<Loaded>(ORACLE, [
      { explicit: `${folder}/none` }, { files: [`${folder}/one`, `${folder}/two`], context: 'y' },
      { files: [`${folder}/one`], context: 'z' }
    ])
    const both = [`${folder}/one`, `${folder}/two`]
    t.strictSame(comparable(await ours({ file: `${folder}/none` })), comparable(missing ?? {}))
    t.strictSame(comparable(await ours({ file: both, context: 'y' })), comparable(context ?? {}))
    t.strictSame(comparable(await ours({ file: `${folder}/one`, context: 'z' })), comparable(unknown ?? {}))
  })
})

/** Errors have other words here, and a final slash of the server does not matter. */
function comparable ({ error, server, impersonate, ...others }: Loaded): object {
  if (error !== undefined) return { error: 'refused' }
  const { UserName = '', UID = '', Groups, Extra } = impersonate ?? {}
  return {
    server: server?.replace(/\/$/, ''),
    impersonate: { UserName, UID, Groups: Groups ?? [], Extra: Extra ?? {} },
    ...others
  }
}

async function ours (choice: Parameters<typeof loadKubeConfig>[0]): Promise<Loaded> {
  try {
    const { config, cluster, namespace, impersonation } = await loadKubeConfig(choice)
    await config.applyToHTTPSOptions({}) // reads the files
    const user = config.getCurrentUser()
    const tokenFile = (user?.authProvider as { config: { tokenFile: string } } | undefined)?.config.tokenFile
    const all: Loaded = {
      server: new URL(cluster.server).href,
      namespace,
      ...(tokenFile === undefined ? { token: user?.token } : { token: 'text', tokenFile }),
      username: user?.username,
      caFile: cluster.caFile,
      certFile: user?.certFile,
      insecure: cluster.skipTLSVerify && cluster.server.startsWith('https:'),
      serverName: cluster.tlsServerName,
      proxy: cluster.proxyUrl,
      impersonate: impersonated(impersonation)
    } as Loaded
    // the oracle leaves out zero values
    return Object.fromEntries(Object.entries(all).filter(([, value]) => Boolean(value)))
  } catch (error) {
    return { error: String(error) }
  }
}

function impersonated (headers: Readonly<Record<string, unknown>>): object {
  const extra = Object.entries(headers).filter(([key]) => key.startsWith('Impersonate-Extra-'))
  return {
    UserName: headers['Impersonate-User'],
    UID: headers['Impersonate-Uid'],
    Groups: headers['Impersonate-Group'],
    Extra: Object.fromEntries(extra.map(([key, values]) =>
      [decodeURIComponent(key.replace('Impersonate-Extra-', '')), values]))
  }
}

t.test('without a current context in its files, a pod uses its own cluster', async (t) => {
  const inPod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443', HTTPS_PROXY: 'http://p:1' }
  const before = { ...process.env }
  Object.assign(process.env, inPod)
  t.teardown(() => { process.env = before })
  const account = { token: 'text', 'ca.crt': 'text', namespace: 'ml\n' }
  const podRoot = t.testdir({
    var: { run: { secrets: { 'kubernetes.io': { serviceaccount: account } } } }, good: file({})
  })
  const load = async (name: string, root = podRoot) =>
    await loadKubeConfig({ file: [`${podRoot}/${name}`], podRoot: root })
  const { cluster, namespace } = await load('missing')
  t.match({ ...cluster, namespace }, { server: 'https://10.0.0.1:443', namespace: 'ml', proxyUrl: 'http://p:1' })
  t.equal((await load('good')).cluster.server, CLUSTER.server)
  await t.rejects(load('missing', `${podRoot}/elsewhere`), { message: /names no cluster/ })
  await t.rejects(loadKubeConfig({ file: `${podRoot}/missing`, podRoot }), { message: /ENOENT/ })
})

const SERVERS = [
  'https://a.example:6443', 'https://a.example', 'http://a.example', 'https://10.1.2.3:6443', 'https://[fd00::1]:6443',
  'https://127.0.0.1:6443', 'https://127.9.9.9', 'https://[::1]:6443', 'https://localhost:6443', 'https://A.EXAMPLE'
]
const NO_PROXIES = [
  '', '*', 'a.example', '.a.example', '*.example', '.example', 'example', 'ample', 'a.example:6443', 'a.example:443',
  'a.example:80', '10.0.0.0/8', '10.1.2.3', '10.1.2.3:6443', '10.1.2.3:1', 'fd00::/8', 'fd00::1', '[fd00::1]:6443',
  '[fd00::1]', ' b.example , a.example ', 'b.example,,', ':6443', '10.0.0.0/99', '*,b', 'A.Example'
]

t.test('chooses the proxies that Go chooses', async (t) => {
  const questions = SERVERS.flatMap((server) => NO_PROXIES.flatMap((noProxy) =>
    ['http://p:3128', 'p:3128', 'https://u:s@p', 'socks5://p:1080', ''].map((HTTPS_PROXY) =>
      ({ server, env: { HTTPS_PROXY, HTTP_PROXY: HTTPS_PROXY && 'http://plain:80', NO_PROXY: noProxy } }))))
  const folder = t.testdir(Object.fromEntries(SERVERS.map((server, i) => [`${i}`, file({ cluster: { server } })])))
  const answers = await askOracle<Loaded>(ORACLE, questions.map(({ server, env }) =>
    ({ explicit: `${folder}/${SERVERS.indexOf(server)}`, env })))
  const differences = questions.flatMap(({ server, env }, i) => {
    const [mine, theirs] = [proxyFromEnvironment(server, env), answers[i]?.proxy ?? '']
    return mine === theirs ? [] : [{ server, env, mine, theirs }]
  })
  t.strictSame(differences, [])
  t.equal(questions.length, 1_250)
})
