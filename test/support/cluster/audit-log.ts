import type { AuditEvent } from './cluster.ts'

/** A successful write of the reconciler: a status, or a patch that triggers admission. */
export function isWrite ({ verb, objectRef, responseStatus }: AuditEvent): boolean {
  return verb === 'patch' && (objectRef?.resource ?? '').startsWith('aim') && (responseStatus?.code ?? 500) < 300
}

/** A request that a replica may send while nothing changes. */
export function isHousekeeping ({ verb, objectRef, requestURI }: AuditEvent): boolean {
  return verb === 'watch' || objectRef?.resource === 'leases' || requestURI.startsWith('/openapi/')
}

/** A successful change of the Lease by a replica. */
function isAcquisition ({ verb, objectRef, user, responseStatus }: AuditEvent): boolean {
  return (
    objectRef?.resource === 'leases' &&
    ['create', 'update'].includes(verb) &&
    user.username.startsWith('replica-') &&
    (responseStatus?.code ?? 500) < 300
  )
}

/** Writes of a replica while another one holds the Lease. */
export function strayWrites (entries: readonly AuditEvent[]): string[] {
  const moments = entries.flatMap((entry) => {
    if (isAcquisition(entry)) return [{ at: entry.stageTimestamp, user: entry.user.username, isWrite: false }]
    return isWrite(entry) ? [{ at: entry.requestReceivedTimestamp, user: entry.user.username, isWrite: true }] : []
  }).sort((a, b) => a.at < b.at ? -1 : 1)
  const stray: string[] = []
  let leader = ''
  for (const { at, user, isWrite } of moments) {
    if (!isWrite) leader = user
    else if (user !== leader) stray.push(`${user} wrote at ${at} while ${leader} was leader`)
  }
  return stray
}

/** How often the writing replica changed. */
export function changesOfWriter (entries: readonly AuditEvent[]): number {
  const users = entries.filter(isWrite).map(({ user }) => user.username)
  return users.filter((user, index) => index > 0 && user !== users[index - 1]).length
}
