/**
 * The second floor: Fastify as it comes that parses a review whole and allows it. Takes a certificate file and a key
 * file.
 */
import { readFileSync } from 'node:fs'
import { fastify } from 'fastify'

const [certFile = '', keyFile = ''] = process.argv.slice(2)

const app = fastify({
  https: { cert: readFileSync(certFile), key: readFileSync(keyFile) },
  bodyLimit: 7 * 1024 * 1024,
  keepAliveTimeout: 120_000
})
app.post('*', (request, reply) => {
  const { request: { uid } } = request.body as { request: { uid: string } } // what the load sends
  reply.send({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true } })
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.once('SIGINT', () => process.exit()) // an orderly end, at which Node writes a profile where it is asked to
process.stderr.write(JSON.stringify({ msg: 'serving', url }) + '\n')
