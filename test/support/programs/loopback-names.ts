import dns from 'node:dns'

// Loaded before a process of the program: names such as 127-0-0-2.replicas.test lead to that address. An EndpointSlice
// must not hold loopback addresses,
// but may hold names.
const lookup = dns.lookup as (hostname: string, ...rest: unknown[]) => void // passed on as it comes
Object.assign(dns, { lookup: (hostname: string, ...rest: unknown[]) => { lookup(addressOf(hostname), ...rest) } })

function addressOf (hostname: string): string {
  return /^(\d+-\d+-\d+-\d+)\.replicas\.test$/.exec(hostname)?.[1]?.replaceAll('-', '.') ?? hostname
}
