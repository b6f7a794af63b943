import { once } from 'node:events'
import { connect } from 'node:net'
import { fastify } from 'fastify'
import t from 'tap'
import { listen } from '../../../src/server/listener.ts'

t.test('listens on one address of a host name', async (t) => {
  const app = fastify()
  t.teardown(async () => { await app.close() })
  const url = await listen(app, { host: 'localhost', port: 0, flag: '--port' }, async (host) =>
    host === 'localhost' ? '127.0.0.2' : 'unknown'
  )
  t.match(url, /^http:\/\/127\.0\.0\.2:\d+$/)
  t.match(app.addresses(), [{ address: '127.0.0.2' }])
  t.equal(app.addresses().length, 1)
})

t.test('localhost accepts IPv4 connections', async (t) => {
  const app = fastify()
  t.teardown(async () => { await app.close() })
  const { port } = new URL(await listen(app, { host: 'localhost', port: 0, flag: '--port' }))
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  await t.resolves(once(socket, 'connect'))
  socket.destroy()
})

t.test('an address that cannot be used is one line that names the flags', async (t) => {
  await t.rejects(listen(fastify(), { host: 'no-such-host.invalid', port: 0, flag: '--port' }), {
    message:
      /^cannot listen on no-such-host\.invalid:0: [^\n]*(ENOTFOUND|EAI_AGAIN)[^\n]*; choose another address by --host or --port$/
  })
})
