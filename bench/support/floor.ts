/**
 * A floor to compare the product with: a server that parses each review whole and allows it. Usage:
 * `node floor.ts https|fastify CERT_FILE KEY_FILE [PATCH]`; `https` answers mutating reviews by the base64 patch.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

interface Review { readonly request: { readonly uid: string } }

const [kind, certFile = '', keyFile = '', patch] = process.argv.slice(2)
const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
const KEEP_ALIVE_MS = 120_000

function allowed ({ request: { uid } }: Review, more: object = {}): object {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true, ...more } }
}

async function serveFastify (): Promise<string> {
  const { fastify } = await import('fastify')
  const app = fastify({ https: tls, bodyLimit: 7 * 1024 * 1024, keepAliveTimeout: KEEP_ALIVE_MS })
  app.post('*', (request, reply) => { reply.send(allowed(request.body as Review)) }) // the body that the load sends
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

async function serveHttps (): Promise<string> {
  const server = createServer({ ...tls, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Review // the body that the load sends
      const isPatched = patch !== undefined && request.url?.startsWith('/mutate') === true
      const answer = JSON.stringify(allowed(review, isPatched ? { patchType: 'JSONPatch', patch } : {}))
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
      response.end(answer)
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on a port
}

process.once('SIGINT', () => process.exit()) // an orderly exit, which writes a CPU profile if Node was started with one
const url = await (kind === 'fastify' ? serveFastify() : serveHttps())
process.stderr.write(`${JSON.stringify({ msg: 'serving', url })}\n`)
