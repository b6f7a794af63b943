import dns from 'node:dns'

// Loaded by `--import`: resolves names such as 127-0-0-2.replicas.test to that address, because an EndpointSlice may
// contain names but no loopback addresses.
const lookup = dns.lookup as (hostname: string, ...rest: unknown[]) => void // all arguments are passed on
Object.assign(dns, { lookup: (hostname: string, ...rest: unknown[]) => { lookup(addressOf(hostname), ...rest) } })

function addressOf (hostname: string): string {
  return /^(\d+-\d+-\d+-\d+)\.replicas\.test$/.exec(hostname)?.[1]?.replaceAll('-', '.') ?? hostname
}
