/** The first lines of a request for raw sockets. */
export function headOf (path = '/mutate/aimservices'): string {
  return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`
}

/** A complete request for raw sockets. `head` may hold more headers. */
export function rawRequest (body: string, head = headOf()): string {
  return `${head}content-length: ${body.length}\r\n\r\n${body}`
}
