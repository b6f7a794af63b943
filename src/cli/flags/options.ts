import { Option } from 'commander'
import { SYSTEM_NAMESPACE } from '../../api/meta.ts'

/** Every flag has a variable of its name. */
export function environmentVariable (name: string): string {
  return `AIM_ADMISSION_${name}`
}

/** The namespace that the program runs in. */
export function namespaceFlag (what: string): Option {
  return new Option('--namespace <name>', what).env(environmentVariable('NAMESPACE')).default(SYSTEM_NAMESPACE)
}

/** The flags about paths, the same for every command that judges services. */
export function pathFlags (): Option[] {
  return [
    new Option('--cross-namespace-overlap <what>', 'a path that covers, or lies below, a path of another namespace: refuse or warn')
      .env(environmentVariable('CROSS_NAMESPACE_OVERLAP')).default('refuse'),
    new Option('--path-scope <scope>', 'any, or namespace: the first segment of a path must be the namespace of its service')
      .env(environmentVariable('PATH_SCOPE')).default('any'),
    new Option('--conflict-details <what>', 'whether messages name the holder of a path in another namespace: shown or hidden')
      .env(environmentVariable('CONFLICT_DETAILS')).default('shown')
  ]
}

/** The flags of how a server ends. */
export function drainFlags (): Option[] {
  return [
    new Option('--drain-min <time>', 'how long reviews are still answered after SIGTERM, at least: 0s to 20s')
      .env(environmentVariable('DRAIN_MIN'))
      .default('10s'),
    new Option('--drain-quiet <time>', 'and for how long none must have come')
      .env(environmentVariable('DRAIN_QUIET'))
      .default('3s')
  ]
}

/** The flags of what a server keeps of the reviews that it judges. */
export function recordFlags (): Option[] {
  return [
    new Option(
      '--record <dir>',
      'keep every review that is judged, redacted, in files of this folder, for review --replay'
    ).env(environmentVariable('RECORD')),
    new Option('--record-file-size <MiB>', 'size beyond which the next file is begun: 1 to 1024')
      .env(environmentVariable('RECORD_FILE_SIZE'))
      .default('16'),
    new Option('--record-files <count>', 'how many files are kept, the oldest go first: 1 to 1000')
      .env(environmentVariable('RECORD_FILES'))
      .default('8')
  ]
}

/** The flags of a reconciler, wherever it runs. */
export function reconcilerFlags (): Option[] {
  return [
    new Option('--namespace <name>', `namespace of the leader-election Lease and of self-managed certificates (default: ${SYSTEM_NAMESPACE}; ` +
      'for the Lease with --kubeconfig, the namespace of its context)').env(environmentVariable('NAMESPACE')),
    new Option('--lease-duration <seconds>', 'how long the other replicas wait for a leader that gives no sign of life; the same on all of them')
      .env(environmentVariable('LEASE_DURATION')).default('15'),
    new Option('--rollout-rate <services>', 'services a second that a changed configuration is carried to')
      .env(environmentVariable('ROLLOUT_RATE'))
      .default('150'),
    new Option('--rollout-concurrency <services>', 'how many of those are on their way at once')
      .env(environmentVariable('ROLLOUT_CONCURRENCY'))
      .default('2'),
    new Option('--rollout-failure-limit <services>', 'how many services that were well a change may break before its roll-out halts')
      .env(environmentVariable('ROLLOUT_FAILURE_LIMIT')).default('3'),
    new Option('--admission-probe-interval <time>', 'how often the leader has the API server admit a service without storing it; 0s: never')
      .env(environmentVariable('ADMISSION_PROBE_INTERVAL')).default('30s'),
    new Option('--admission-probe-namespace <name>', 'namespace of that service; one that the webhooks are registered for')
      .env(environmentVariable('ADMISSION_PROBE_NAMESPACE')).default('default')
  ]
}
