import type { ServicePolicy } from '../core/rules/service.ts'
import type { PathPolicy } from '../core/world.ts'
import type { RolloutLimits } from '../reconcile/controller.ts'
import type { DrainTimes } from '../server/lifecycle.ts'
import type { TracingSettings } from '../telemetry/tracing.ts'
import type { MetricNames } from '../telemetry/reconcile-metrics.ts'

/** The Lease of the reconciler, and its name in the metrics. */
export const LEASE_NAME = 'aim-admission-reconcile'

/** Settings of every long-running command. */
export interface ProcessSettings {
  /** Undefined: the cluster of this pod. */
  readonly kubeconfig: string | undefined
  readonly host: string
  readonly probePort: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Undefined: text on a terminal, else JSON. */
  readonly logFormat: 'json' | 'text' | undefined
  readonly pathPolicy: PathPolicy
}

export interface ServeSettings extends ProcessSettings {
  /** Folder of the embedded store; undefined: serve a cluster. */
  readonly manifests: string | undefined
  readonly port: number
  readonly certificates: CertificateSettings
  /** Undefined: clients need no certificate. */
  readonly clients: ClientSettings | undefined
  readonly missingConfig: ServicePolicy['missingConfig']
  /** As the webhooks are registered. */
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly drain: DrainTimes
  /** Undefined: reviews are not traced. */
  readonly tracing: TracingSettings | undefined
  /** Undefined: reviews are not recorded. */
  readonly record: RecordSettings | undefined
  /** Undefined: the reconciler runs in another process. */
  readonly reconciler: ReconcilerSettings | undefined
}

export interface ReconcileSettings extends ProcessSettings { readonly reconciler: ReconcilerSettings }

/** Where the serving pair comes from. */
export type CertificateSettings =
  /** Issued for this process. */
  | { readonly kind: 'ephemeral' }
  | { readonly kind: 'files', readonly certFile: string, readonly keyFile: string }
  | ManagedSettings

/** Issued by the program, and shared by its replicas. */
export interface ManagedSettings {
  readonly kind: 'self-managed'
  readonly secret: { readonly namespace: string, readonly name: string }
  /** Name of both webhook configurations. */
  readonly configuration: string
  /** DNS names and IP addresses of the certificate; the Service comes first. */
  readonly names: readonly [string, ...string[]]
  readonly caDays: number
  readonly certDays: number
  /** Time between two steps of a CA rotation. */
  readonly settleSeconds: number
}

/** Which clients are admitted. */
export interface ClientSettings {
  readonly caFile: string
  /** Empty: any certificate of the CA. */
  readonly names: readonly string[]
}

export interface RecordSettings { readonly folder: string, readonly fileBytes: number, readonly files: number }

export interface ReconcilerSettings extends RolloutLimits {
  /** Of the Lease. Undefined: `aim-system`, or outside a cluster the namespace of the kubeconfig's context. */
  readonly namespace: string | undefined
  readonly leaseSeconds: number
  readonly metricNames: MetricNames
  readonly probe: ProbeSettings
}

/** The end-to-end probe; an interval of 0 ms switches it off. */
export interface ProbeSettings { readonly interval: number, readonly namespace: string }
