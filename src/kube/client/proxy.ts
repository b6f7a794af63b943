import { BlockList, isIP } from 'node:net'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy that Go's `http.ProxyFromEnvironment` chooses for a server, or an empty string: never one for a loopback
 * address. Source: golang.org/x/net/http/httpproxy.
 */
export function proxyFromEnvironment (server: string, environment: Environment): string {
  const { protocol, hostname, port } = new URL(server)
  const read = (name: string): string => environment[name] || environment[name.toLowerCase()] || ''
  const isSecure = protocol === 'https:'
  const proxy = read(isSecure ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  const host = hostname.replaceAll(/[[\]]/g, '').toLowerCase()
  if (proxy === '' || host === 'localhost' || includes(LOOPBACK, host)) return ''
  const address = { host, port: port === '' ? (isSecure ? '443' : '80') : port }
  if (read('NO_PROXY').split(',').some((entry) => exempts(entry.trim().toLowerCase(), address))) return ''
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

function includes (list: BlockList, host: string): boolean {
  const version = isIP(host)
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

interface Address { readonly host: string, readonly port: string }

/** An entry of NO_PROXY: `*`, a CIDR range, or an address or domain with or without a port. */
function exempts (entry: string, address: Address): boolean {
  if (entry === '' || entry === '*') return entry === '*'
  const [range = '', bits = ''] = entry.split('/')
  return isIP(range) !== 0 && /^\d+$/.test(bits)
    ? inRange(range, Number(bits), address.host)
    : exemptsHost(entry, address)
}

/** An IPv6 address has brackets if and only if it has a port. */
const HOST_AND_PORT = /^(?:\[(?<bracketed>.*)\](?=:)|(?<plain>[^:]*))(?::(?<port>\d*))?$/

function exemptsHost (entry: string, { host, port }: Address): boolean {
  const [name, onlyPort] = hostAndPort(entry)
  if (onlyPort !== '' && onlyPort !== port) return false
  if (isIP(name) !== 0) return inRange(name, isIP(name) === 4 ? 32 : 128, host)
  return name !== '' && (host === name || host.endsWith(name.startsWith('.') ? name : `.${name}`))
}

/** The host without the asterisk of `*.`. */
function hostAndPort (entry: string): [host: string, port: string] {
  const { bracketed, plain, port = '' } = HOST_AND_PORT.exec(entry)?.groups ?? { plain: entry }
  return [(bracketed ?? plain ?? '').replace(/^\*\./, '.'), port]
}

function inRange (address: string, bits: number, host: string): boolean {
  const version = isIP(address)
  if (bits > (version === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6')
  return includes(list, host)
}
