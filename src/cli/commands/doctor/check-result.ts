/** What is looked at, in this order. */
export const CHECKS = ['definitions', 'registration', 'bypass', 'certificate', 'access', 'other-webhooks'] as const
export type Check = typeof CHECKS[number]

/**
 * What an examination found out about one thing. `note`: good to know, nothing to mend. `unknown`: it could not be
 * looked at. `problem`: `mend` is the one command that puts it right, to be pasted into a shell.
 */
export type CheckResult =
  | { readonly check: Check, readonly kind: 'well' | 'note' | 'unknown', readonly subject: string, readonly what: string }
  | { readonly check: Check, readonly kind: 'problem', readonly subject: string, readonly what: string, readonly mend: string }

/** A word of a shell command, quoted where a shell would take it apart. */
export function shellWord (text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', '\'\\\'\'')}'`
}
