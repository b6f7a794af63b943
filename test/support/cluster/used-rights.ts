import type { Permission } from '../../../src/cli/commands/doctor/check-access.ts'
import type { AuditEvent } from './cluster.ts'

type Right = Permission['attributes']

/** Verbs for which RBAC has no name: a create has none yet, and a list or watch covers all objects. */
const NAMELESS = ['create', 'list', 'watch']

interface UsedRights {
  /** Each right once. */
  readonly rights: readonly Right[]
  /** Paths of requests that address no resource. */
  readonly others: readonly string[]
  readonly forbidden: readonly string[]
}

/** The published schemas, which every authenticated user may read (ClusterRole `system:discovery`). */
const SCHEMAS = '/openapi/v3/'

/** The rights that a user used, as RBAC rules. */
export function usedRights (entries: readonly AuditEvent[], user: string): UsedRights {
  const own = entries.filter((entry) => (entry.impersonatedUser ?? entry.user).username === user)
  const rights = own.flatMap(({ verb, objectRef }) => objectRef === undefined ? [] : [rightOf(verb, objectRef)])
  return {
    rights: [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()],
    others: own.filter(({ objectRef }) => objectRef === undefined).map(({ requestURI }) => requestURI)
      .filter((uri) => !uri.startsWith(SCHEMAS)),
    forbidden: own
      .filter(({ responseStatus }) => responseStatus?.code === 403)
      .map(({ verb, requestURI }) => `${verb} ${requestURI}`)
  }
}

function rightOf (
  verb: string,
  { apiGroup = '', resource, subresource = '', namespace = '', name = '' }: NonNullable<AuditEvent['objectRef']>
): Right {
  return { verb, group: apiGroup, resource, subresource, name: NAMELESS.includes(verb) ? '' : name, namespace }
}

/** The used rights that are not granted, and the granted rights that are not used. */
export function compareRights (
  used: readonly Right[], granted: readonly Right[]
): Record<'missing' | 'spare', Right[]> {
  return {
    missing: used.filter((right) => !granted.some((wider) => covers(wider, right))),
    spare: granted.filter((wider) => !used.some((right) => covers(wider, right)))
  }
}

/** A right without a name covers all objects, without a namespace all namespaces. Source: RBAC, PolicyRule. */
function covers (wider: Right, right: Right): boolean {
  return (['verb', 'group', 'resource', 'subresource'] as const).every((key) => wider[key] === right[key]) &&
    (['name', 'namespace'] as const).every((key) => wider[key] === '' || wider[key] === right[key])
}
