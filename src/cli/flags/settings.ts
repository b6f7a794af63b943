import {
  certificateSettings, clientSettings, type CertificateFlags, type CertificateSettings, type ClientSettings
} from './certificate-settings.ts'
import type { PathPolicy } from '../../core/world.ts'
import { duration, oneOf, wholeNumber } from './read-flags.ts'

/** The settings of `serve`, once every flag and environment variable has been read. Frozen. */
export interface ServeSettings {
  /** A folder for the embedded store; undefined where a cluster is served. */
  readonly manifests: string | undefined
  /** Undefined for the cluster of this pod. */
  readonly kubeconfig: string | undefined
  readonly host: string
  readonly port: number
  readonly probePort: number
  readonly certificates: CertificateSettings
  /** Undefined where everybody may call. */
  readonly clients: ClientSettings | undefined
  readonly missingConfig: 'warn' | 'refuse'
  readonly pathPolicy: PathPolicy
  /** The one that the webhooks are registered with. */
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  readonly drain: DrainSettings
  /** Undefined where reviews are not recorded. */
  readonly record: RecordSettings | undefined
  /** Undefined where the reconciler runs elsewhere. */
  readonly reconciler: ReconcilerSettings | undefined
}

/**
 * How long a server that is told to end still answers, in milliseconds: at least `min`, and until no review has come
 * for `quiet`.
 */
export interface DrainSettings { readonly min: number, readonly quiet: number }

/** Where reviews are recorded, and how much of them is kept. */
export interface RecordSettings { readonly folder: string, readonly fileBytes: number, readonly files: number }

/** The flags as they were given, by their names in camel case. */
export type ServeFlags = ReconcilerFlags & CertificateFlags & PathFlags &
  Readonly<Record<'host' | 'port' | 'probePort' | 'missingConfig' | 'failurePolicy' | 'logLevel' | 'drainMin' | 'drainQuiet' | 'recordFileSize' | 'recordFiles', string>> &
  Readonly<Partial<Record<'manifests' | 'kubeconfig' | 'record', string>>> & { readonly withReconciler?: boolean }

/** The flags about paths, by their names in camel case. */
export type PathFlags = Readonly<Record<keyof PathPolicy, string>>

const MISSING_CONFIG = ['warn', 'refuse'] as const
const FAILURE_POLICIES = ['Fail', 'Ignore'] as const
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** With what follows it, the stop stays below the 30 s that Kubernetes grants by default. */
const MAX_DRAIN_SECONDS = 20

/** The settings of a reconciler. Frozen. */
export interface ReconcilerSettings {
  /** Of the Lease. Undefined: `aim-system`, or outside a cluster the namespace of the kubeconfig's context. */
  readonly namespace: string | undefined
  /** How long the other replicas wait for a leader that gives no sign of life, in seconds. */
  readonly leaseSeconds: number
  /** Services that admission is asked to see anew, a second. */
  readonly rate: number
  /** How many of those are on their way at once. */
  readonly concurrency: number
  /** How many services that were well a roll-out may break before it halts. */
  readonly failureLimit: number
  readonly probe: ProbeSettings
}

/** The end-to-end probe: how often, in milliseconds (0: never), and in which namespace. */
export interface ProbeSettings { readonly interval: number, readonly namespace: string }

/** The settings of `reconcile`. Frozen. */
export interface ReconcileSettings extends
  Pick<ServeSettings, 'kubeconfig' | 'host' | 'probePort' | 'logLevel' | 'pathPolicy'> {
  readonly reconciler: ReconcilerSettings
}

export type ReconcilerFlags = Readonly<
  Record<
    | 'leaseDuration'
    | 'rolloutRate'
    | 'rolloutConcurrency'
    | 'rolloutFailureLimit'
    | 'admissionProbeInterval'
    | 'admissionProbeNamespace',
    string
  >
> & { readonly namespace?: string }
export type ReconcileFlags = ReconcilerFlags & PathFlags &
  Readonly<Record<'host' | 'probePort' | 'logLevel', string>> & { readonly kubeconfig?: string }

/** Reads the flags of `serve`. Throws one line that holds every problem. */
export function serveSettings (flags: ServeFlags): ServeSettings {
  return withoutProblems((problems) => {
    const { manifests, kubeconfig, host, withReconciler = false } = flags
    if (manifests !== undefined && kubeconfig !== undefined) {
      problems.push('--manifests and --kubeconfig exclude each other; give one of them')
    }
    if (manifests !== undefined && withReconciler) {
      problems.push('--manifests and --with-reconciler exclude each other; a folder has no status to be written')
    }
    return {
      manifests,
      kubeconfig,
      host,
      port: wholeNumber('port', flags.port, { to: 65_535, problems }),
      probePort: wholeNumber('probe-port', flags.probePort, { to: 65_535, problems }),
      certificates: certificateSettings(flags, problems),
      clients: clientSettings(flags, problems),
      missingConfig: oneOf('missing-config', flags.missingConfig, { choices: MISSING_CONFIG, problems }),
      pathPolicy: pathPolicyOf(flags, problems),
      failurePolicy: oneOf('failure-policy', flags.failurePolicy, { choices: FAILURE_POLICIES, problems }),
      logLevel: oneOf('log-level', flags.logLevel, { choices: LOG_LEVELS, problems }),
      drain: {
        min: duration('drain-min', flags.drainMin, { to: MAX_DRAIN_SECONDS, problems }),
        quiet: duration('drain-quiet', flags.drainQuiet, { to: MAX_DRAIN_SECONDS, problems })
      },
      record: recordSettings(flags, problems),
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
    pathPolicy: pathPolicyOf(flags, problems),
    reconciler: reconcilerSettings(flags, problems)
  }))
}

/** Reads the flags about paths; invalid values are added to the problems. */
export function pathPolicyOf (flags: PathFlags, problems: string[]): PathPolicy {
  const { crossNamespaceOverlap, pathScope, conflictDetails } = flags
  return {
    crossNamespaceOverlap: oneOf('cross-namespace-overlap', crossNamespaceOverlap, {
      choices: ['refuse', 'warn'],
      problems
    }),
    pathScope: oneOf('path-scope', pathScope, { choices: ['any', 'namespace'], problems }),
    conflictDetails: oneOf('conflict-details', conflictDetails, { choices: ['shown', 'hidden'], problems })
  }
}

/** The bounds are judged where nothing is recorded, too. */
function recordSettings ({ record: folder, recordFileSize, recordFiles }: ServeFlags, problems: string[]): RecordSettings | undefined {
  const size = wholeNumber('record-file-size', recordFileSize, { from: 1, to: 1_024, problems })
  const files = wholeNumber('record-files', recordFiles, { from: 1, to: 1_000, problems })
  return folder === undefined ? undefined : { folder, fileBytes: size * 1024 * 1024, files }
}

function reconcilerSettings (flags: ReconcilerFlags, problems: string[]): ReconcilerSettings {
  const { namespace, leaseDuration, rolloutRate, rolloutConcurrency, rolloutFailureLimit } = flags
  return {
    namespace,
    leaseSeconds: wholeNumber('lease-duration', leaseDuration, { from: 3, to: 300, problems }),
    rate: wholeNumber('rollout-rate', rolloutRate, { from: 1, to: 10_000, problems }),
    concurrency: wholeNumber('rollout-concurrency', rolloutConcurrency, { from: 1, to: 100, problems }),
    failureLimit: wholeNumber('rollout-failure-limit', rolloutFailureLimit, { from: 1, to: 100_000, problems }),
    probe: {
      interval: duration('admission-probe-interval', flags.admissionProbeInterval, { to: 3_600, problems }),
      namespace: flags.admissionProbeNamespace
    }
  }
}

function withoutProblems<T extends object> (read: (problems: string[]) => T): T {
  const problems: string[] = []
  const settings = Object.freeze(read(problems))
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}
