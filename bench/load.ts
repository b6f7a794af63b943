import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

/** An HTTP request as the API server sends a review, made once and sent as it is. */
export function requestOf (path: string, review: string): Buffer {
  const body = Buffer.from(review)
  const head = `POST ${path}?timeout=10s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: ${body.length}\r\n` +
    'Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n'
  return Buffer.concat([Buffer.from(head), body])
}

interface Target { readonly url: URL, readonly ca: string }

/** One kept connection, which carries one request at a time. Cheap, so that the load is not what is measured. */
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

  /** Resolves with the body of the answer. Rejects where it is not a 200, or the connection is lost. */
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

/** Sends so many requests, each connection the next as soon as it has its answer. Rejects where one is not answered. */
export async function closedLoop (connections: readonly LoadConnection[], requests: readonly Buffer[], count: number): Promise<void> {
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

/**
 * Sends at a fixed rate whatever the answers do. Resolves with the latencies in milliseconds, counted from when each
 * request was due.
 */
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
    while (performance.now() < time) await new Promise(setImmediate) // no timer is as precise
    const connection = free.pop()
    if (connection === undefined) due.push(time)
    else sending.push(sendOne(connection, time))
  }
  await Promise.all(sending)
  return latencies
}
