import { connect } from 'node:net'
import { once } from 'node:events'
import { fastify } from 'fastify'
import t from 'tap'
import { listen } from '../../src/server/listen.ts'

t.test('a name with several addresses is listened on by one of them, which callers of IPv4 find', async (t) => {
  const app = fastify()
  t.teardown(async () => { await app.close() })
  const url = new URL(await listen(app, { host: 'localhost', port: 0, flag: '--port' }))
  t.equal(app.addresses().length, 1)
  const socket = connect({ host: '127.0.0.1', port: Number(url.port) })
  await once(socket, 'connect')
  socket.destroy()
})

t.test('an address that cannot be listened on is one line that names the flags', async (t) => {
  await t.rejects(listen(fastify(), { host: 'no-such-host.invalid', port: 0, flag: '--port' }), {
    message: /^cannot listen on no-such-host\.invalid:0: [^\n]*(ENOTFOUND|EAI_AGAIN)[^\n]*; choose another address by --host or --port$/
  })
})
