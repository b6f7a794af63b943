import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

/** HTTP request of a review as the API server sends it, encoded once. */
export function requestOf (path: string, review: string): Buffer {
  const body = Buffer.from(review)
  const head = [
    `POST ${path}?timeout=10s HTTP/1.1`,
    'Host: 127.0.0.1',
    'User-Agent: kube-apiserver-admission',
    `Content-Length: ${body.length}`,
    'Accept: application/json, */*',
    'Content-Type: application/json',
    'Accept-Encoding: gzip'
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

interface Target { readonly url: URL, readonly ca: string }

/** Keep-alive connection with one request at a time; cheap, so that the load itself costs little. */
export class LoadConnection {
  readonly #socket: TLSSocket
  #answer = ''
  #onAnswer: ((body: string) => void) | undefined
  #onLost: (reason: Error) => void = () => undefined

  private constructor (socket: TLSSocket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => { this.#take(chunk) })
    socket.on('error', (error: Error) => { this.#onLost(error) })
    socket.on('close', () => { this.#onLost(new Error('the server closed the connection')) })
  }

  static async open ({ url, ca }: Target): Promise<LoadConnection> {
    const socket = connect({ host: url.hostname, port: Number(url.port), ca })
    await once(socket, 'secureConnect')
    return new LoadConnection(socket)
  }

  /** Resolves with the body of a 200 response. Rejects on any other status or a lost connection. */
  async send (request: Buffer): Promise<string> {
    if (this.#socket.destroyed) throw new Error('the server has closed the connection')
    return await new Promise((resolve, reject) => {
      this.#onAnswer = resolve
      this.#onLost = reject
      this.#socket.write(request)
    })
  }

  close (): void {
    this.#socket.destroy()
  }

  #take (chunk: string): void {
    this.#answer += chunk
    const head = this.#answer.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(this.#answer.slice(0, head))?.[1])
    if (this.#answer.length < head + 4 + length) return
    const [status, body] = [this.#answer.slice(9, 12), this.#answer.slice(head + 4)]
    this.#answer = ''
    if (status === '200') this.#onAnswer?.(body)
    else this.#onLost(new Error(`answered ${status}: ${body}`))
  }
}

export async function openConnections (target: Target, count: number): Promise<LoadConnection[]> {
  return await Promise.all(Array.from({ length: count }, async () => await LoadConnection.open(target)))
}

/** Sends `count` requests; each connection sends its next one after a response. Rejects if one fails. */
export async function closedLoop (
  connections: readonly LoadConnection[], requests: readonly Buffer[], count: number
): Promise<void> {
  let sent = 0
  await Promise.all(connections.map(async (connection) => {
    while (sent < count) {
      const request = requests[sent++ % requests.length]
      if (request !== undefined) await connection.send(request)
    }
  }))
}

export interface OpenLoop {
  readonly connections: readonly LoadConnection[]
  readonly requests: readonly Buffer[]
  /** Requests a second. */
  readonly rate: number
  readonly seconds: number
}

/** Sends at a fixed rate. Resolves with the latencies in milliseconds, counted from the scheduled send times. */
export async function openLoop ({ connections, requests, rate, seconds }: OpenLoop): Promise<number[]> {
  const count = Math.round(rate * seconds)
  const [free, due, latencies]: [LoadConnection[], number[], number[]] = [[...connections], [], []]
  const started = performance.now()
  let begun = 0
  const sendOne = async (connection: LoadConnection, at: number): Promise<void> => {
    const request = requests[begun++ % requests.length] ?? Buffer.alloc(0)
    await connection.send(request)
    latencies.push(performance.now() - at)
    const next = due.shift()
    if (next === undefined) free.push(connection)
    else await sendOne(connection, next)
  }
  const sending: Array<Promise<void>> = []
  for (let at = 0; at < count; at++) {
    const time = started + at * 1_000 / rate
    while (performance.now() < time) await new Promise(setImmediate) // timers are not precise enough
    const connection = free.pop()
    if (connection === undefined) due.push(time)
    else sending.push(sendOne(connection, time))
  }
  await Promise.all(sending)
  return latencies
}
