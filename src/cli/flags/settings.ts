import type { Option } from 'commander'
import { SYSTEM_NAMESPACE } from '../../api/meta.ts'
import type {
  ProcessSettings, ReconcilerSettings, ReconcileSettings, RecordSettings, ServeSettings
} from '../../app/settings.ts'
import { SERVICE_POLICIES } from '../../core/rules/service.ts'
import { PATH_POLICIES, type PathPolicy } from '../../core/world.ts'
import type { TracingSettings } from '../../telemetry/tracing.ts'
import { LEASE_SECONDS } from '../../kube/leader-election.ts'
import { certificateFlags, certificateSettings, clientSettings, type CertificateFlags } from './certificates.ts'
import {
  apiGroupFlag, flag, flagReader, injectFlag, injectOf, withoutProblems
} from './read-flags.ts'

type ProcessFlags = PathFlags & Readonly<Record<'host' | 'probePort' | 'logLevel', string>> &
  Readonly<Partial<Record<'kubeconfig' | 'logFormat', string>>>

export type PathFlags = Readonly<Record<keyof PathPolicy, string>>

type ReconcilerFlags = Readonly<Record<
  'leaseDuration' | 'rolloutConcurrency' | 'rolloutFailureLimit' | 'admissionProbeInterval' |
  'admissionProbeNamespace' | 'metricNames', string
>> & { readonly namespace?: string, readonly rolloutRate?: string }

/** The flags of `serve`, as given. */
export type ServeFlags = ProcessFlags & ReconcilerFlags & CertificateFlags &
  Readonly<Record<
    'port' | 'missingConfig' | 'failurePolicy' | 'drainMin' | 'drainQuiet' | 'recordFileSize' | 'recordFiles', string
  >> &
  Readonly<Partial<Record<'manifests' | 'record' | 'otlpEndpoint', string>>> & { readonly withReconciler?: boolean }

/** The flags of `reconcile`, as given. */
export type ReconcileFlags = ProcessFlags & ReconcilerFlags

export function serveFlags (): Option[] {
  return [
    flag('--manifests <dir>', 'embedded store: folder of YAML or JSON manifests, watched for changes'),
    ...processFlags(),
    flag('--port <port>', 'HTTPS port of the webhooks', '8443'),
    flag('--missing-config <action>', 'action for a service without its runtime configuration: warn or refuse', 'warn'),
    flag('--failure-policy <policy>',
      'failurePolicy of the webhooks; with Ignore, a service may be stored without admission', 'Fail'),
    ...pathFlags(),
    ...certificateFlags(),
    flag('--drain-min <duration>', 'minimum time to respond to reviews after SIGTERM, 0s to 20s', '10s'),
    flag('--drain-quiet <duration>', 'time without reviews that ends the drain, 0s to 20s', '3s'),
    flag('--record <dir>', 'record every review, redacted, in files of this folder, for review --replay'),
    flag('--record-file-size <MiB>', 'maximum size of a record file, 1 to 1024', '16'),
    flag('--record-files <count>', 'maximum number of record files, 1 to 1000; the oldest are deleted', '8'),
    flag('--otlp-endpoint <url>', 'send traces of reviews to this OTLP/HTTP collector ' +
      '(default: as OTEL_EXPORTER_OTLP_ENDPOINT says, else none)'),
    flag('--with-reconciler', 'run the reconciler in this process too'),
    ...reconcilerFlags()
  ]
}

export function reconcileFlags (): Option[] {
  return [...processFlags(), ...pathFlags(), ...reconcilerFlags()]
}

function processFlags (): Option[] {
  return [
    flag('--kubeconfig <file>', 'kubeconfig of the cluster (default: the cluster of this pod)'),
    flag('--host <address>', 'address to listen on', '127.0.0.1'),
    flag('--probe-port <port>', 'plain HTTP port of /healthz, /readyz and /metrics', '8080'),
    flag('--log-level <level>', 'lowest level to log: debug, info, warn or error', 'info'),
    flag('--log-format <format>', 'json or text (default: text on a terminal, else json)')
  ]
}

/** The flags about paths of every command that judges services. */
export function pathFlags (): Option[] {
  return [
    flag('--cross-namespace-overlap <action>',
      'action for a path above or below one of another namespace: refuse or warn', 'refuse'),
    flag('--path-scope <scope>', 'any, or namespace: a path must start with the namespace of its service', 'any'),
    flag('--path-segments <form>', 'segments of paths: rfc3986 (percent-encoded), or dns (a-z, 0-9, dot and ' +
      'hyphen, at most 63 characters) as operators serve them', 'rfc3986'),
    flag('--conflict-details <details>', 'holder of a path in messages to other namespaces: shown or hidden', 'shown'),
    flag('--missing-default <settings>', 'a service without any configuration default: degraded, or builtin to give ' +
      'it built-in defaults', 'degraded'),
    injectFlag(),
    apiGroupFlag()
  ]
}

function reconcilerFlags (): Option[] {
  return [
    flag('--namespace <name>', 'namespace of the Lease and of self-managed certificates ' +
      `(default: ${SYSTEM_NAMESPACE}; for the Lease with --kubeconfig: that of its context)`),
    flag('--lease-duration <seconds>', 'time until another replica replaces a silent leader', '15'),
    flag('--rollout-rate <services>', 'maximum number of services rolled forward per second (default: unlimited)'),
    flag('--rollout-concurrency <services>',
      'maximum number of services rolled forward at once; below it, latency decides', '64'),
    flag('--rollout-failure-limit <services>', 'healthy services that a rollout may break before it halts', '3'),
    flag('--admission-probe-interval <duration>', 'interval of the end-to-end probe, a dry run; 0s: never', '30s'),
    flag('--metric-names <names>',
      'names of configurations, namespaces and field managers in metrics: shown or hidden', 'shown'),
    flag('--admission-probe-namespace <name>', 'namespace of the end-to-end probe, with registered webhooks', 'default')
  ]
}

const MAX_PORT = 65_535

/** With the rest of the shutdown, below the 30 s that Kubernetes grants by default. */
const MAX_DRAIN_SECONDS = 20

/** Throws one line with every problem. */
export function serveSettings (flags: ServeFlags): ServeSettings {
  return withoutProblems((problems) => {
    const { manifests, withReconciler = false } = flags
    const { duration, oneOf, wholeNumber } = flagReader(flags, problems)
    if (manifests !== undefined && flags.kubeconfig !== undefined) {
      problems.push('--manifests and --kubeconfig exclude each other; give one of them')
    }
    if (manifests !== undefined && withReconciler) {
      problems.push('--manifests and --with-reconciler exclude each other: a folder stores no status')
    }
    return {
      manifests,
      ...processSettings(flags, problems),
      port: wholeNumber('port', { to: MAX_PORT }),
      certificates: certificateSettings(flags, problems),
      clients: clientSettings(flags, problems),
      missingConfig: oneOf('missingConfig', SERVICE_POLICIES.missingConfig),
      failurePolicy: oneOf('failurePolicy', ['Fail', 'Ignore']),
      drain: {
        min: duration('drainMin', { to: MAX_DRAIN_SECONDS }),
        quiet: duration('drainQuiet', { to: MAX_DRAIN_SECONDS })
      },
      record: recordSettings(flags, problems),
      tracing: tracingSettings(flags, problems),
      reconciler: withReconciler ? reconcilerSettings(flags, problems) : undefined
    }
  })
}

/** Throws one line with every problem. */
export function reconcileSettings (flags: ReconcileFlags): ReconcileSettings {
  return withoutProblems((problems) => ({
    ...processSettings(flags, problems),
    reconciler: reconcilerSettings(flags, problems)
  }))
}

function processSettings (flags: ProcessFlags, problems: string[]): ProcessSettings {
  const { kubeconfig, host, logFormat } = flags
  const { oneOf, wholeNumber } = flagReader(flags, problems)
  return {
    kubeconfig,
    host,
    probePort: wholeNumber('probePort', { to: MAX_PORT }),
    logLevel: oneOf('logLevel', ['debug', 'info', 'warn', 'error']),
    logFormat: logFormat === undefined ? undefined : oneOf('logFormat', ['json', 'text']),
    pathPolicy: pathPolicyOf(flags, problems)
  }
}

/** Throws one line with every problem. */
export function pathPolicySettings (flags: PathFlags): PathPolicy {
  return withoutProblems((problems) => pathPolicyOf(flags, problems))
}

function pathPolicyOf (flags: PathFlags, problems: string[]): PathPolicy {
  const { oneOf } = flagReader(flags, problems)
  return {
    crossNamespaceOverlap: oneOf('crossNamespaceOverlap', PATH_POLICIES.crossNamespaceOverlap),
    pathScope: oneOf('pathScope', PATH_POLICIES.pathScope),
    pathSegments: oneOf('pathSegments', PATH_POLICIES.pathSegments),
    conflictDetails: oneOf('conflictDetails', PATH_POLICIES.conflictDetails),
    missingDefault: oneOf('missingDefault', PATH_POLICIES.missingDefault),
    inject: injectOf(flags.inject, problems)
  }
}

/** Checks the bounds without --record, too. */
function recordSettings (flags: ServeFlags, problems: string[]): RecordSettings | undefined {
  const { wholeNumber } = flagReader(flags, problems)
  const size = wholeNumber('recordFileSize', { from: 1, to: 1_024 })
  const files = wholeNumber('recordFiles', { from: 1, to: 1_000 })
  return flags.record === undefined ? undefined : { folder: flags.record, fileBytes: size * 1024 * 1024, files }
}

function tracingSettings ({ otlpEndpoint }: ServeFlags, problems: string[]): TracingSettings | undefined {
  const { OTEL_SDK_DISABLED, OTEL_EXPORTER_OTLP_ENDPOINT = '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = '' } = process.env
  if (otlpEndpoint !== undefined && !/^https?:$/.test(URL.parse(otlpEndpoint)?.protocol ?? '')) {
    problems.push(`--otlp-endpoint must be a URL of http or https, such as http://collector:4318, not ${otlpEndpoint}`)
  }
  const isWanted = [otlpEndpoint, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT].some(Boolean)
  return isWanted && OTEL_SDK_DISABLED !== 'true' ? { endpoint: otlpEndpoint } : undefined
}

function reconcilerSettings (flags: ReconcilerFlags, problems: string[]): ReconcilerSettings {
  const { duration, oneOf, wholeNumber } = flagReader(flags, problems)
  return {
    namespace: flags.namespace,
    leaseSeconds: wholeNumber('leaseDuration', LEASE_SECONDS),
    rate: flags.rolloutRate === undefined ? Infinity : wholeNumber('rolloutRate', { from: 1, to: 10_000 }),
    concurrency: wholeNumber('rolloutConcurrency', { from: 1, to: 100 }),
    failureLimit: wholeNumber('rolloutFailureLimit', { from: 1, to: 100_000 }),
    metricNames: oneOf('metricNames', ['shown', 'hidden']),
    probe: {
      interval: duration('admissionProbeInterval', { to: 3_600 }),
      namespace: flags.admissionProbeNamespace
    }
  }
}
