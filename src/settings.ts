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
}

/** The flags as they were given, by their names in camel case. */
export type ServeFlags = Readonly<Record<'host' | 'port' | 'probePort' | 'missingConfig' | 'failurePolicy' | 'logLevel', string>> &
  Readonly<Partial<Record<'manifests' | 'kubeconfig' | 'certFile' | 'keyFile', string>>>

const MISSING_CONFIG = ['warn', 'refuse'] as const
const FAILURE_POLICIES = ['Fail', 'Ignore'] as const
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** Reads the flags. Throws one line that holds every problem. */
export function serveSettings (flags: ServeFlags): ServeSettings {
  const problems: string[] = []
  const port = (flag: string, text: string): number => {
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) problems.push(`--${flag} is a whole number from 0 to 65535, not "${text}"`)
    return Number(text)
  }
  const oneOf = <T extends string>(flag: string, text: string, choices: readonly [T, ...T[]]): T => {
    const chosen = choices.find((choice) => choice === text)
    if (chosen === undefined) problems.push(`--${flag} is one of ${choices.join(', ')}, not "${text}"`)
    return chosen ?? choices[0]
  }
  const { manifests, kubeconfig, host, certFile, keyFile } = flags
  if (manifests !== undefined && kubeconfig !== undefined) problems.push('--manifests and --kubeconfig exclude each other; give one of them')
  if ((certFile === undefined) !== (keyFile === undefined)) problems.push('--cert-file and --key-file belong together; give both or neither')
  const settings = Object.freeze({
    manifests,
    kubeconfig,
    host,
    port: port('port', flags.port),
    probePort: port('probe-port', flags.probePort),
    pair: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    missingConfig: oneOf('missing-config', flags.missingConfig, MISSING_CONFIG),
    failurePolicy: oneOf('failure-policy', flags.failurePolicy, FAILURE_POLICIES),
    logLevel: oneOf('log-level', flags.logLevel, LOG_LEVELS)
  })
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}
