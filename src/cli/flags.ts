import { Option } from 'commander'

/** Every flag has a variable of its name. */
export function environmentVariable (name: string): string {
  return `AIM_ADMISSION_${name}`
}

/** The namespace that the program runs in. */
export function namespaceFlag (what: string): Option {
  return new Option('--namespace <name>', what).env(environmentVariable('NAMESPACE')).default('aim-system')
}

/** The flags of a reconciler, wherever it runs. */
export function reconcilerFlags (): Option[] {
  return [
    namespaceFlag('namespace of the Lease by which replicas agree on one that writes'),
    new Option('--rollout-rate <services>', 'services a second that a changed configuration is carried to').env(environmentVariable('ROLLOUT_RATE')).default('150'),
    new Option('--rollout-concurrency <services>', 'how many of those are on their way at once').env(environmentVariable('ROLLOUT_CONCURRENCY')).default('2'),
    new Option('--rollout-failure-limit <services>', 'how many services that were well a change may break before its roll-out halts')
      .env(environmentVariable('ROLLOUT_FAILURE_LIMIT')).default('3')
  ]
}
