import { Option } from 'commander'
import { CONFIGURATION_NAME } from '../../../webhooks/webhook-configurations.ts'
import { environmentVariable } from './options.ts'

/** Where self-managed certificates are kept, unless told otherwise. */
export const CERT_SECRET = 'aim-admission-tls'

/** The flags that say what `serve` shows to its callers, and what they must show. */
export function certificateFlags (): Option[] {
  const flag = (flags: string, what: string, variable: string): Option =>
    new Option(flags, what).env(environmentVariable(variable))
  return [
    flag('--certificates <way>', 'self-managed, files or throw-away (default: files where --cert-file is given; else self-managed in a cluster, throw-away with --manifests)',
      'CERTIFICATES'),
    flag('--cert-file <file>', 'PEM certificate chain to serve; taken anew whenever it changes', 'CERT_FILE'),
    flag('--key-file <file>', 'PEM key of the certificate', 'KEY_FILE'),
    flag(
      '--cert-secret <name>',
      'self-managed: Secret that the certificates are kept in, in --namespace',
      'CERT_SECRET'
    ).default(CERT_SECRET),
    flag(
      '--webhook-configuration <name>',
      'self-managed: name of the two webhook configurations whose caBundle is kept right',
      'WEBHOOK_CONFIGURATION'
    ).default(CONFIGURATION_NAME),
    flag('--service-name <name>', 'self-managed: Service that the certificate is for', 'SERVICE_NAME').default(
      'aim-admission'
    ),
    flag(
      '--service-namespace <name>',
      'self-managed: namespace of that Service (default: that of --namespace)',
      'SERVICE_NAMESPACE'
    ),
    names(
      flag(
        '--cert-name <name,…>',
        'self-managed: further DNS names and IP addresses that the certificate is for',
        'CERT_NAME'
      )
    ),
    flag(
      '--cert-days <days>',
      'self-managed: how long a serving certificate is valid; it is renewed after two thirds',
      'CERT_DAYS'
    ).default('30'),
    flag('--ca-days <days>', 'self-managed: the same for the CA', 'CA_DAYS').default('365'),
    flag(
      '--rotation-wait <seconds>',
      'self-managed: how long each step of a CA change rests, longer than any API server lags behind',
      'ROTATION_WAIT'
    ).default('30'),
    flag(
      '--client-ca-file <file>',
      'PEM certificates of the CA that callers must show a certificate of; taken anew whenever it changes',
      'CLIENT_CA_FILE'
    ),
    names(
      flag(
        '--client-name <name,…>',
        "names of which a caller's certificate must have one (default: any name)",
        'CLIENT_NAME'
      )
    )
  ]
}

/** Given several times or separated by commas. */
function names (option: Option): Option {
  return option.default([], 'none').argParser((text: string, before: readonly string[]) => [
    ...before,
    ...text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
  ])
}
