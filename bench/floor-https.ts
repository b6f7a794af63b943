/**
 * The first floor: `node:https` that parses a review whole and allows it. Takes a certificate file, a key file and,
 * where it is to answer mutating reviews by a patch, that patch in base64.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

const [certFile = '', keyFile = '', patch] = process.argv.slice(2)

const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile), keepAliveTimeout: 120_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  request.on('end', () => {
    // what the load sends
    const review = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { request: { uid: string } }
    const patched = patch !== undefined &&
      request.url?.startsWith('/mutate') === true && { patchType: 'JSONPatch', patch }
    const answer = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: review.request.uid, allowed: true, ...patched }
    })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
    response.end(answer)
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // it listens on a port
  process.stderr.write(JSON.stringify({ msg: 'serving', url: `https://127.0.0.1:${port}` }) + '\n')
})
