/** The settings of `serve`, once every flag and environment variable has been read. Frozen. */
export interface ServeSettings {
  /** A folder for the embedded store; undefined where a cluster is served. */
  readonly manifests: string | undefined
  /** Undefined for the cluster of this pod. */
  readonly kubeconfig: string | undefined
  readonly host: string
  readonly port: number
  readonly probePort: number
  /** Undefined for a throw-away pair. */
  readonly pair: { readonly certFile: string, readonly keyFile: string } | undefined
  readonly missingConfig: 'warn' | 'refuse'
  /** The one that the webhooks are registered with. */
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Undefined where the reconciler runs elsewhere. */
  readonly reconciler: ReconcilerSettings | undefined
}

/** The flags as they were given, by their names in camel case. */
export type ServeFlags = ReconcilerFlags & Readonly<Record<'host' | 'port' | 'probePort' | 'missingConfig' | 'failurePolicy' | 'logLevel', string>> &
  Readonly<Partial<Record<'manifests' | 'kubeconfig' | 'certFile' | 'keyFile', string>>> & { readonly withReconciler?: boolean }

const MISSING_CONFIG = ['warn', 'refuse'] as const
const FAILURE_POLICIES = ['Fail', 'Ignore'] as const
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** The settings of a reconciler. Frozen. */
export interface ReconcilerSettings {
  /** Where the Lease is. */
  readonly namespace: string
  /** Services that admission is asked to see anew, a second. */
  readonly rate: number
  /** How many of those are on their way at once. */
  readonly concurrency: number
  /** How many services that were well a roll-out may break before it halts. */
  readonly failureLimit: number
}

/** The settings of `reconcile`. Frozen. */
export interface ReconcileSettings extends Pick<ServeSettings, 'kubeconfig' | 'host' | 'probePort' | 'logLevel'> {
  readonly reconciler: ReconcilerSettings
}

export type ReconcilerFlags = Readonly<Record<'namespace' | 'rolloutRate' | 'rolloutConcurrency' | 'rolloutFailureLimit', string>>
export type ReconcileFlags = ReconcilerFlags & Readonly<Record<'host' | 'probePort' | 'logLevel', string>> & { readonly kubeconfig?: string }

/** Reads the flags of `serve`. Throws one line that holds every problem. */
export function serveSettings (flags: ServeFlags): ServeSettings {
  return withoutProblems((problems) => {
    const { manifests, kubeconfig, host, certFile, keyFile, withReconciler = false } = flags
    if (manifests !== undefined && kubeconfig !== undefined) problems.push('--manifests and --kubeconfig exclude each other; give one of them')
    if (manifests !== undefined && withReconciler) problems.push('--manifests and --with-reconciler exclude each other; a folder has no status to be written')
    if ((certFile === undefined) !== (keyFile === undefined)) problems.push('--cert-file and --key-file belong together; give both or neither')
    return {
      manifests,
      kubeconfig,
      host,
      port: wholeNumber('port', flags.port, { to: 65_535, problems }),
      probePort: wholeNumber('probe-port', flags.probePort, { to: 65_535, problems }),
      pair: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
      missingConfig: oneOf('missing-config', flags.missingConfig, { choices: MISSING_CONFIG, problems }),
      failurePolicy: oneOf('failure-policy', flags.failurePolicy, { choices: FAILURE_POLICIES, problems }),
      logLevel: oneOf('log-level', flags.logLevel, { choices: LOG_LEVELS, problems }),
      reconciler: withReconciler ? reconcilerSettings(flags, problems) : undefined
    }
  })
}

/** Reads the flags of `reconcile`. Throws one line that holds every problem. */
export function reconcileSettings (flags: ReconcileFlags): ReconcileSettings {
  return withoutProblems((problems) => ({
    kubeconfig: flags.kubeconfig,
    host: flags.host,
    probePort: wholeNumber('probe-port', flags.probePort, { to: 65_535, problems }),
    logLevel: oneOf('log-level', flags.logLevel, { choices: LOG_LEVELS, problems }),
    reconciler: reconcilerSettings(flags, problems)
  }))
}

function reconcilerSettings ({ namespace, rolloutRate, rolloutConcurrency, rolloutFailureLimit }: ReconcilerFlags, problems: string[]): ReconcilerSettings {
  return {
    namespace,
    rate: wholeNumber('rollout-rate', rolloutRate, { from: 1, to: 10_000, problems }),
    concurrency: wholeNumber('rollout-concurrency', rolloutConcurrency, { from: 1, to: 100, problems }),
    failureLimit: wholeNumber('rollout-failure-limit', rolloutFailureLimit, { from: 1, to: 100_000, problems })
  }
}

function withoutProblems<T extends object> (read: (problems: string[]) => T): T {
  const problems: string[] = []
  const settings = Object.freeze(read(problems))
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}

interface Bounds { readonly from?: number, readonly to: number, readonly problems: string[] }

function wholeNumber (flag: string, text: string, { from = 0, to, problems }: Bounds): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN
  if (!(number >= from && number <= to)) problems.push(`--${flag} is a whole number from ${from} to ${to}, not "${text}"`)
  return number
}

interface Choice<T> { readonly choices: readonly [T, ...T[]], readonly problems: string[] }

function oneOf<T extends string> (flag: string, text: string, { choices, problems }: Choice<T>): T {
  const chosen = choices.find((choice) => choice === text)
  if (chosen === undefined) problems.push(`--${flag} is one of ${choices.join(', ')}, not "${text}"`)
  return chosen ?? choices[0]
}
