import type { Permission } from '../../../src/cli/commands/doctor/check-access.ts'
import type { AuditEvent } from './cluster.ts'

type Right = Permission['attributes']

/** RBAC sees no name in these: a create has none yet, and a list or watch is of all. */
const NAMELESS = ['create', 'list', 'watch']

/**
 * Every right that a user made use of, each once, as RBAC sees it. Requests for anything that is no resource are told
 * as their path.
 */
export function usedRights (entries: readonly AuditEvent[], user: string): Record<'others' | 'forbidden', readonly string[]> & { readonly rights: readonly Right[] } {
  const own = entries.filter((entry) => (entry.impersonatedUser ?? entry.user).username === user)
  const rights = own.flatMap(({ verb, objectRef }) => objectRef === undefined ? [] : [rightOf(verb, objectRef)])
  return {
    rights: [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()],
    others: own.filter(({ objectRef }) => objectRef === undefined).map(({ requestURI }) => requestURI),
    forbidden: own
      .filter(({ responseStatus }) => responseStatus?.code === 403)
      .map(({ verb, requestURI }) => `${verb} ${requestURI}`)
  }
}

function rightOf (verb: string, { apiGroup = '', resource, subresource = '', namespace = '', name = '' }: NonNullable<AuditEvent['objectRef']>): Right {
  return { verb, group: apiGroup, resource, subresource, name: NAMELESS.includes(verb) ? '' : name, namespace }
}

/** Which of the rights used are not given, and which of those given are not used. */
export function compareRights (used: readonly Right[], given: readonly Right[]): { readonly missing: readonly Right[], readonly spare: readonly Right[] } {
  return {
    missing: used.filter((right) => !given.some((wider) => covers(wider, right))),
    spare: given.filter((wider) => !used.some((right) => covers(wider, right)))
  }
}

/**
 * Without a name a right is one to every object, without a namespace one in all of them. Source:
 * rbac.authorization.k8s.io/v1, PolicyRule.
 */
function covers (wider: Right, right: Right): boolean {
  return (['verb', 'group', 'resource', 'subresource'] as const).every((key) => wider[key] === right[key]) &&
    (['name', 'namespace'] as const).every((key) => wider[key] === '' || wider[key] === right[key])
}
