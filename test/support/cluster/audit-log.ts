import type { AuditEvent } from './cluster.ts'

/** What changed an object of the product: statuses and services that admission saw anew. */
export function isWrite ({ verb, objectRef, responseStatus }: AuditEvent): boolean {
  return verb === 'patch' && (objectRef?.resource ?? '').startsWith('aim') && (responseStatus?.code ?? 500) < 300
}

/** What a leader, and a standby, may send while nothing changes. */
export function isHousekeeping ({ verb, objectRef }: AuditEvent): boolean {
  return verb === 'watch' || objectRef?.resource === 'leases'
}

/** Successful changes of a Lease by its holders; those of anybody else do not make a leader. */
function isTaking ({ verb, objectRef, user, responseStatus }: AuditEvent): boolean {
  return (
    objectRef?.resource === 'leases' &&
    ['create', 'update'].includes(verb) &&
    user.username.startsWith('replica-') &&
    (responseStatus?.code ?? 500) < 300
  )
}

/** Writes of whom was not the last to have taken or renewed the Lease when they came. */
export function strayWrites (entries: readonly AuditEvent[]): string[] {
  const moments = entries.flatMap((entry) => {
    if (isTaking(entry)) return [{ at: entry.stageTimestamp, user: entry.user.username, isWrite: false }]
    return isWrite(entry) ? [{ at: entry.requestReceivedTimestamp, user: entry.user.username, isWrite: true }] : []
  }).sort((a, b) => a.at < b.at ? -1 : 1)
  const stray: string[] = []
  let leader = ''
  for (const { at, user, isWrite } of moments) {
    if (!isWrite) leader = user
    else if (user !== leader) stray.push(`${user} wrote at ${at}, when ${leader} led`)
  }
  return stray
}

/** How often the writer changed. */
export function changesOfWriter (entries: readonly AuditEvent[]): number {
  const users = entries.filter(isWrite).map(({ user }) => user.username)
  return users.filter((user, index) => index > 0 && user !== users[index - 1]).length
}
