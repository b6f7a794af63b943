import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import {
  connectToCluster, withTimeouts, type ApiConnection, type ApiRequest
} from '../../../src/kube/client/api-connection.ts'
import { FakeApiServer, silence, status, text } from '../../support/fakes/fake-api-server.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { aTestAuthority, type KeyPair } from '../../support/builders/test-certificates.ts'
import { listening } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const PATH = '/api/v1/configmaps'
const authority = await aTestAuthority('current authority')
const otherAuthority = await aTestAuthority('earlier authority')

interface Setup {
  readonly api: FakeApiServer
  /** Holds the kubeconfig and the files it references. */
  readonly folder: string
  readonly connect: (reuseMs?: number) => Promise<ApiConnection>
  readonly warned: string[]
}

/** An HTTPS server that accepts client certificates, and a kubeconfig for it. */
async function setUp (
  t: Test, { user = {}, files = {} }: { user?: JsonObject, files?: Record<string, string> }
): Promise<Setup> {
  const api = new FakeApiServer({
    ...(await authority.issue('server')),
    ca: [authority.cert],
    requestCert: true,
    rejectUnauthorized: false
  })
  await api.start()
  api.serve(PATH)
  const folder = t.testdir({ 'ca.crt': authority.cert, ...files, kubeconfig: kubeconfig(api.url, user) })
  const warned: string[] = []
  const log = { ...silentLog, warn: (_keys: object, sentence: string) => { warned.push(sentence) } }
  const connections: ApiConnection[] = []
  const connect = async (reuseMs = 0) => {
    const connection = await connectToCluster({ kubeconfig: `${folder}/kubeconfig`, reuseMs, log })
    connections.push(connection)
    return connection
  }
  t.teardown(async () => {
    for (const connection of connections) await connection.close()
    await api.stop()
  })
  return { api, folder, connect, warned }
}

function kubeconfig (server: string, user: JsonObject = {}, cluster: JsonObject = {}): string {
  return JSON.stringify({
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'me' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': 'ca.crt', ...cluster } }],
    users: [{ name: 'me', user }]
  })
}

/** A TCP server on the way to the API server. Returns its port. */
async function listen (t: Test, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    onConnection(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return await listening(server)
}

/** Sends a request and reads the whole response. */
async function get (connection: ApiConnection, options: ApiRequest = {}): Promise<number> {
  const { statusCode, body } = await connection.request(PATH, options)
  await body.dump()
  return statusCode
}

/** The credentials of the last request. */
function lastCaller (api: FakeApiServer): { authorization: string | undefined, certificate: string | undefined } {
  const request = api.requests.at(-1)?.request
  const socket = request?.socket as TLSSocket | undefined // of an HTTPS server
  return { authorization: request?.headers.authorization, certificate: socket?.getPeerX509Certificate()?.subject }
}

const [alice, bob]: [KeyPair, KeyPair] = [await authority.issue('alice'), await authority.issue('bob')]
const EXEC_API = 'client.authentication.k8s.io/v1'
const EXEC = { apiVersion: EXEC_API, interactiveMode: 'Never', command: process.execPath }
const base64 = (text: string) => Buffer.from(text).toString('base64')
const printToken = (token: string) =>
  `console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion: '${EXEC_API}', status: { token: ${token} } }))`

const credentialCases: Record<string, {
  user: JsonObject, files?: Record<string, string>, authorization?: string, certificate?: string
}> = {
  'a client certificate in files': {
    user: {
      'client-certificate': 'me.crt', 'client-key': 'me.key'
    },
    files: { 'me.crt': alice.cert, 'me.key': alice.key },
    certificate: 'CN=alice'
  },
  'embedded client certificate data': {
    user: { 'client-certificate-data': base64(alice.cert), 'client-key-data': base64(alice.key) },
    certificate: 'CN=alice'
  },
  'a token': { user: { token: 'secret' }, authorization: 'Bearer secret' },
  'a token file that ends with a newline': {
    user: { tokenFile: 'token' },
    files: { token: 'secret\n' },
    authorization: 'Bearer secret'
  },
  'a token file that overrides a token': {
    user: { tokenFile: 'token', token: 'old' },
    files: { token: 'secret' },
    authorization: 'Bearer secret'
  },
  'a user name and a password': {
    user: { username: 'me', password: 'päss' },
    authorization: `Basic ${base64('me:päss')}`
  },
  'an exec plugin': {
    user: {
      exec: {
        ...EXEC, args: ['-e', printToken('"secret"')]
      }
    },
    authorization: 'Bearer secret'
  },
  'no credentials': { user: {} }
}

t.test('authenticates with', async (t) => {
  for (const [name, { user, files = {}, authorization, certificate }] of Object.entries(credentialCases)) {
    t.test(name, async (t) => {
      const { api, connect } = await setUp(t, { user, files })
      t.strictSame(await get(await connect()), 200)
      t.strictSame(lastCaller(api), { authorization, certificate })
    })
  }
})

t.test('rotation:', async (t) => {
  t.test('the next request uses a new client certificate', async (t) => {
    const { api, folder, connect } = await setUp(t, {
      user: {
        'client-certificate': 'me.crt', 'client-key': 'me.key'
      },
      files: { 'me.crt': alice.cert, 'me.key': alice.key }
    })
    const connection = await connect()
    await get(connection)
    await writeFile(`${folder}/me.crt`, bob.cert)
    await t.rejects(get(connection), /key/, 'half of the new pair fails')
    await writeFile(`${folder}/me.key`, bob.key)
    await get(connection)
    t.strictSame(lastCaller(api).certificate, 'CN=bob')
  })

  t.test('credentials are used for a time, or until a 401', async (t) => {
    const user = { 'client-certificate': 'me.crt', 'client-key': 'me.key' }
    const { api, folder, connect } = await setUp(t, { user, files: { 'me.crt': alice.cert, 'me.key': alice.key } })
    const connection = await connect(3_600_000)
    await writeFile(`${folder}/me.crt`, bob.cert)
    await writeFile(`${folder}/me.key`, bob.key)
    api.next('list', status(401))
    t.strictSame(await get(connection), 401)
    t.strictSame(lastCaller(api).certificate, 'CN=alice')
    await get(connection)
    t.strictSame(lastCaller(api).certificate, 'CN=bob')
  })

  t.test('the next request trusts a new authority', async (t) => {
    const { folder, connect } = await setUp(t, { files: { 'ca.crt': otherAuthority.cert } })
    const connection = await connect()
    await t.rejects(get(connection), /certificate/)
    await writeFile(`${folder}/ca.crt`, `${otherAuthority.cert}\n${authority.cert}`)
    t.strictSame(await get(connection), 200)
  })

  const refusedCredentials: Record<string, { user: (folder: string) => JsonObject, file: string }> = {
    'a token file': { user: () => ({ tokenFile: 'token' }), file: 'token' },
    'the token of an exec plugin': {
      user: (folder) => ({
        exec: {
          ...EXEC,
          args: ['-e', printToken(`fs.readFileSync('${folder}/token', 'utf8')`)]
        }
      }),
      file: 'token'
    },
    'the kubeconfig itself': { user: () => ({ token: 'old' }), file: 'kubeconfig' }
  }
  for (const [name, { user, file }] of Object.entries(refusedCredentials)) {
    t.test(`${name} is read again after a 401`, async (t) => {
      const folder = t.testdirName
      const { api, connect } = await setUp(t, { user: user(folder), files: { token: 'old' } })
      const connection = await connect()
      await get(connection)
      t.strictSame(lastCaller(api).authorization, 'Bearer old')
      await writeFile(`${folder}/${file}`, file === 'token' ? 'new' : kubeconfig(api.url, { token: 'new' }))
      api.next('list', status(401))
      t.strictSame(await get(connection), 401)
      t.strictSame(await get(connection), 200)
      t.strictSame(lastCaller(api).authorization, 'Bearer new')
    })
  }

  t.test('an exec plugin runs once for concurrent requests', async (t) => {
    const { api, folder, connect } = await setUp(t, { user: { token: 'old' } })
    const connection = await connect()
    const command = `fs.appendFileSync('${folder}/runs', '.'); ${printToken('"new"')}`
    await writeFile(
      `${folder}/kubeconfig`,
      kubeconfig(api.url, {
        exec: { ...EXEC, args: ['-e', command] }
      })
    )
    api.next('list', status(401))
    await get(connection)
    await Promise.all(Array.from({ length: 10 }, async () => get(connection)))
    t.strictSame(await readFile(`${folder}/runs`, 'utf8'), '.')
    t.strictSame(lastCaller(api).authorization, 'Bearer new')
  })

  t.test('an unreadable file leaves the last credentials in use and is logged once', async (t) => {
    const { api, folder, connect, warned } = await setUp(t, { user: { token: 'secret' } })
    const connection = await connect()
    await rm(`${folder}/ca.crt`)
    for (let time = 0; time < 3; time++) t.strictSame(await get(connection), 200)
    t.strictSame(lastCaller(api).authorization, 'Bearer secret')
    t.strictSame(warned, ['failed to read API server credentials, keeping the last ones'])
    await writeFile(`${folder}/ca.crt`, authority.cert)
    await get(connection)
    await rm(`${folder}/ca.crt`)
    await get(connection)
    t.strictSame(warned.length, 2)
  })
})

t.test('connections', async (t) => {
  t.test('are reused: at most two for sequential requests, five for concurrent ones, and one reserved', async (t) => {
    const { api, connect } = await setUp(t, {})
    const connection = await connect()
    for (let time = 0; time < 100; time++) await get(connection)
    t.ok(api.accepted <= 2)
    await Promise.all(Array.from({ length: 100 }, async () => get(connection)))
    t.strictSame(api.accepted, 5)
    for (let hanging = 0; hanging < 5; hanging++) api.next('list', silence)
    const abort = new AbortController()
    const hanging = Promise.allSettled(
      Array.from({ length: 20 }, async () => get(connection, { signal: abort.signal }))
    )
    await until(() => api.requests.length === 205)
    for (let time = 0; time < 10; time++) t.strictSame(await get(connection, { reserved: true }), 200)
    t.strictSame(await api.openConnections(), 6)
    abort.abort()
    await hanging
  })

  t.test('that become free carry no fenced request', async (t) => {
    const { api, connect } = await setUp(t, {})
    const connection = await connect()
    for (let hanging = 0; hanging < 5; hanging++) api.next('list', silence)
    const abort = new AbortController()
    const hanging = Promise.allSettled(Array.from({ length: 5 }, async () => get(connection, { signal: abort.signal })))
    await until(() => api.requests.length === 5)
    let leads = true
    const waiting = get(connection, { fencing: () => leads })
    const rejected = t.rejects(waiting, { message: 'request not sent: this replica is no longer the leader' })
    await new Promise((resolve) => { setImmediate(resolve) })
    leads = false
    abort.abort()
    await Promise.all([hanging, rejected])
    t.strictSame(api.requests.length, 5)
    t.strictSame(await get(connection, { fencing: () => true }), 200)
  })

  t.test('carry the last byte of a body only while fencing holds', async (t) => {
    const { api, connect } = await setUp(t, {})
    const connection = await connect()
    const write = async (verdicts: boolean[]): Promise<number> => {
      const { statusCode, body } = await connection.request(PATH, {
        method: 'PATCH',
        body: '{"a":"ü"}',
        fencing: () => verdicts.shift() ?? true
      })
      await body.dump()
      return statusCode
    }
    t.ok(await write([true, true]) < 500)
    const complete = (): number => api.requests.filter(({ request }) => request.complete).length
    t.equal(complete(), 1)
    await t.rejects(write([true, false]), { message: 'request not sent: this replica is no longer the leader' })
    await t.rejects(write([false]), { message: 'request not sent: this replica is no longer the leader' })
    t.ok(await write([true, true]) < 500)
    t.equal(complete(), 2, 'a fenced request never arrives as a whole')
  })

  t.test('are kept while the files stay the same, and closed on close', async (t) => {
    const { api, folder, connect } = await setUp(t, {})
    const connection = await connect()
    await get(connection)
    await writeFile(`${folder}/ca.crt`, authority.cert)
    await get(connection)
    t.ok(api.accepted <= 2)
    api.next('list', silence)
    const hanging = connection.request(PATH)
    await until(() => api.requests.length === 3)
    await Promise.all([t.rejects(hanging), connection.close()])
    await until(async () => await api.openConnections() === 0)
  })
})

t.test('a request', async (t) => {
  t.test('is sent with its method, query, headers and body', async (t) => {
    const { api, connect } = await setUp(t, {})
    const connection = await connect()
    const received = new Promise((resolve) => {
      api.next('list', (response) => {
        const { req } = response
        req.setEncoding('utf8').on('data', (body) => {
          resolve([req.method, req.url, req.headers['content-type'], req.headers['user-agent'], body])
        })
        response.end()
      })
    })
    const { body } = await connection.request(PATH, {
      method: 'PATCH',
      query: { fieldManager: 'aim & co' },
      headers: {
        'content-type': 'application/merge-patch+json'
      },
      body: '{}'
    })
    await body.dump()
    t.strictSame(await received, [
      'PATCH',
      `${PATH}?fieldManager=aim+%26+co`,
      'application/merge-patch+json',
      'aim-admission',
      '{}'
    ])
  })

  t.test('is sent below the path of the server URL', async (t) => {
    const { api, folder, connect } = await setUp(t, {})
    await writeFile(`${folder}/kubeconfig`, kubeconfig(`${api.url}/k8s/clusters/c-1`))
    await get(await connect())
    t.strictSame(api.requests.at(-1)?.request.url, `/k8s/clusters/c-1${PATH}`)
  })

  t.test('is sent through the proxy of the cluster', async (t) => {
    const { api, folder, connect } = await setUp(t, {})
    const asked: string[] = []
    const port = await listen(t, (client) => {
      client.once('data', (head) => {
        asked.push(String(head).split('\r\n', 1)[0] ?? '')
        const server = openSocket(Number(new URL(api.url).port), '127.0.0.1')
        client.write('HTTP/1.1 200 Connected\r\n\r\n')
        client.pipe(server).pipe(client)
      })
    })
    await writeFile(`${folder}/kubeconfig`, kubeconfig(api.url, {}, { 'proxy-url': `http://127.0.0.1:${port}` }))
    const connection = await connect()
    t.strictSame(await get(connection), 200)
    t.strictSame(asked, [`CONNECT ${new URL(api.url).host} HTTP/1.1`])
    await Promise.all(Array.from({ length: 100 }, async () => get(connection)))
    t.ok(await api.openConnections() <= 6)
  })

  t.test('is aborted at once, even while it waits for a connection', async (t) => {
    const port = await listen(t, () => {}) // never completes a TLS handshake
    const { folder, connect } = await setUp(t, {})
    await writeFile(`${folder}/kubeconfig`, kubeconfig(`https://127.0.0.1:${port}`))
    const connection = await connect()
    const abort = new AbortController()
    const hanging = connection.request(PATH, { signal: abort.signal })
    setTimeout(() => { abort.abort(new Error('aborted')) }, 20)
    await t.rejects(hanging, { message: 'aborted' })
    await t.rejects(
      connection.request(PATH, { signal: abort.signal }),
      { message: 'aborted' },
      'an aborted request is not sent'
    )
  })

  t.test('times out, even while an exec plugin hangs', async (t) => {
    const { api, folder, connect } = await setUp(t, { user: { token: 'old' } })
    const connection = await connect()
    const plugin = {
      ...EXEC,
      args: ['-e', 'setTimeout(() => {}, 3_000)']
    }
    await writeFile(`${folder}/kubeconfig`, kubeconfig(api.url, { exec: plugin }))
    api.next('list', status(401))
    await get(connection)
    await t.rejects(connection.request(PATH, { timeoutMs: 20 }), {
      message: 'the API server did not respond within 0.02 s'
    })
    t.strictSame(api.requests.length, 1)
  })
})

t.test('a timeout', async (t) => {
  t.test('covers the response body, and ends with it', async (t) => {
    const { api, connect } = await setUp(t, {})
    const clock = new ManualClock()
    const request = withTimeouts((await connect()).request, clock)
    const { body } = await request(PATH, { timeoutMs: 1_000 })
    t.equal(clock.pending, 1)
    await body.text()
    await until(() => clock.pending === 0)
    api.next('list', text('{"items": [', 'silence'))
    const hanging = await request(PATH, { timeoutMs: 1_000 })
    const read = t.rejects(hanging.body.text(), { message: 'the API server did not respond within 1 s' })
    clock.pass(1_000)
    await read
  })

  t.test('ends with a request that fails', async (t) => {
    const clock = new ManualClock()
    const request = withTimeouts(async () => await Promise.reject(new Error('connection refused')), clock)
    await t.rejects(request(PATH, { timeoutMs: 1_000 }), { message: 'connection refused' })
    t.equal(clock.pending, 0)
  })
})

t.test('the context namespace is that of the kubeconfig', async (t) => {
  const { folder, connect } = await setUp(t, {})
  t.equal((await connect()).contextNamespace, 'default')
  const config = JSON.parse(await readFile(`${folder}/kubeconfig`, 'utf8')) as { contexts: [{ context: JsonObject }] }
  config.contexts[0].context = { ...config.contexts[0].context, namespace: 'ml-team' }
  await writeFile(`${folder}/kubeconfig`, JSON.stringify(config))
  t.equal((await connect()).contextNamespace, 'ml-team')
})

const unusable: Record<string, { kubeconfig: string, wanted: RegExp }> = {
  'does not exist': {
    kubeconfig: '',
    wanted: /^cannot connect to a cluster: failed to read kubeconfig .*missing: ENOENT/
  },
  'is not YAML': { kubeconfig: '{', wanted: /^cannot connect to a cluster: failed to read kubeconfig .*: / },
  'has a cluster without a server': {
    kubeconfig: kubeconfig(''),
    wanted: /^cannot connect to a cluster: context "test" of the kubeconfig: the cluster has no server$/
  },
  'has no current context': {
    kubeconfig: '{"clusters": []}',
    wanted: /^cannot connect to a cluster: kubeconfig .* names no cluster: .*; select one with kubectl config use-context$/
  },
  'references a missing CA file': {
    kubeconfig: kubeconfig('https://127.0.0.1:1'), wanted: /^cannot connect to a cluster: ENOENT.*ca\.crt/
  }
}

t.test('rejects a kubeconfig that', async (t) => {
  for (const [name, { kubeconfig, wanted }] of Object.entries(unusable)) {
    t.test(name, async (t) => {
      const folder = t.testdir({ kubeconfig })
      const file = kubeconfig === '' ? `${folder}/missing` : `${folder}/kubeconfig`
      await t.rejects(connectToCluster({ kubeconfig: file, log: silentLog }), { message: wanted })
    })
  }
})

t.test('without a kubeconfig and outside a pod, the error says how to fix it', async (t) => {
  const host = process.env['KUBERNETES_SERVICE_HOST']
  delete process.env['KUBERNETES_SERVICE_HOST']
  t.teardown(() => { if (host !== undefined) process.env['KUBERNETES_SERVICE_HOST'] = host })
  await t.rejects(connectToCluster({ log: silentLog }), {
    message: /^cannot connect to a cluster: KUBERNETES_SERVICE_HOST .*pass --kubeconfig$/
  })
})

t.test('a server without TLS gets the impersonated user, and no credentials', async (t) => {
  const api = new FakeApiServer()
  await api.start()
  t.teardown(async () => { await api.stop() })
  api.serve(PATH)
  const impersonated = { as: 'jane', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'x/Y%': ['1'] } }
  const user = { token: 'secret', ...impersonated }
  const folder = t.testdir({ kubeconfig: kubeconfig(api.url, user) })
  const connection = await connectToCluster({ kubeconfig: `${folder}/kubeconfig`, log: silentLog })
  t.teardown(async () => { await connection.close() })
  t.equal(await get(connection), 200)
  const headers = api.requests.at(-1)?.request.headersDistinct ?? {}
  t.equal(headers['authorization'], undefined)
  t.strictSame(headers['impersonate-user'], ['jane'])
  t.strictSame(headers['impersonate-uid'], ['7'])
  t.strictSame(headers['impersonate-group'], ['a', 'b'])
  t.strictSame(headers['impersonate-extra-x%2fy%25'], ['1'])
})

t.test('an exec plugin', async (t) => {
  t.test('with a relative command reads the cluster from KUBERNETES_EXEC_INFO', async (t) => {
    const script = `#!${process.execPath}\n${printToken('process.env.KUBERNETES_EXEC_INFO')}`
    const { api, folder, connect } = await setUp(t, {
      user: { exec: { ...EXEC, command: './login', provideClusterInfo: true } }, files: { login: script }
    })
    await chmod(`${folder}/login`, 0o755)
    await get(await connect())
    t.strictSame(JSON.parse(lastCaller(api).authorization?.replace('Bearer ', '') ?? ''), {
      kind: 'ExecCredential',
      apiVersion: EXEC_API,
      spec: {
        cluster: { server: api.url, 'certificate-authority-data': base64(authority.cert) },
        interactive: false
      }
    })
  })

  const failures: Record<string, { exec: JsonObject, wanted: RegExp }> = {
    'that is not installed': {
      exec: { command: 'no-such-plugin', installHint: 'see \u001b[1mhttps://example.com' },
      wanted: /: exec plugin no-such-plugin not found; see \[1mhttps:\/\/example.com$/
    },
    'that fails': { exec: { args: ['-e', 'process.exit(3)'] }, wanted: /: exec plugin .* failed with exit code 3$/ },
    'that prints text': { exec: { args: ['-e', 'console.log("hi")'] }, wanted: /: exec plugin .* printed no JSON: / },
    'that returns nothing': { exec: { args: ['-e', printToken('""')] }, wanted: /returned no token and no certificate$/ },
    'of another version': {
      exec: { apiVersion: `${EXEC_API}beta1`, args: ['-e', printToken('"secret"')] },
      wanted: /returned apiVersion "client.authentication.k8s.io\/v1", not client.authentication.k8s.io\/v1beta1/
    },
    'that needs a terminal': { exec: { interactiveMode: 'Always' }, wanted: /needs a terminal/ }
  }
  for (const [name, { exec, wanted }] of Object.entries(failures)) {
    t.test(`${name} is an error`, async (t) => {
      t.intercept(process.stdin, 'isTTY', { value: false })
      const { connect } = await setUp(t, { user: { exec: { ...EXEC, ...exec } } })
      await t.rejects(connect(), { message: wanted })
    })
  }
})
