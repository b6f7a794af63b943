import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { accessManifests } from '../src/cli/commands/manifests/access.ts'
import { newAdmissionEngine } from '../webhooks/engine.ts'
import { toYaml } from '../src/cli/output/formats.ts'
import { customResourceDefinitions } from '../src/api/custom-resource-definitions.ts'
import { replaced } from './reference-pages.ts'
import { valuesTable } from './chart-values.ts'
import { CHART, helm } from '../test/support/binaries/helm.ts'
import { webhookConfigurations } from '../webhooks/webhook-configurations.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const NAMESPACE = 'aim-system'

/** Files of the chart that come from the program and from the folders beside it: content by path. */
export async function chartFiles (): Promise<Record<string, string>> {
  const { webhooks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  const options = {
    client: { kind: 'service', name: 'aim-admission', namespace: NAMESPACE },
    failurePolicy: 'Fail',
    timeoutSeconds: 5,
    namespace: NAMESPACE
  } as const
  const crds = toYaml(customResourceDefinitions())
  const read = async (file: string): Promise<string> => await readFile(path.join(ROOT, file), 'utf8')
  return {
    'deploy/chart/README.md':
      replaced(await read('deploy/chart/README.md'), 'values', valuesTable(await read('deploy/chart/values.yaml'))),
    'deploy/crds/aim.silogen.ai.yaml': crds,
    'deploy/chart/files/crds.yaml': crds,
    'deploy/chart/files/rbac.yaml': toYaml(accessManifests({ namespace: NAMESPACE, certificates: 'self-managed' })),
    'deploy/chart/files/rbac-given-certificates.yaml':
      toYaml(accessManifests({ namespace: NAMESPACE, certificates: 'files' })),
    'deploy/chart/files/webhooks.yaml': toYaml(webhookConfigurations(webhooks, options)),
    'deploy/chart/files/alerts.yaml': await read('deploy/alerts.yaml'),
    'deploy/chart/files/dashboard.json': await read('deploy/dashboards/aim-admission.json')
  }
}

const DEFAULTS = '# Rendered from deploy/chart by `npm run render`. ' +
  'docs/how-to/installation.md describes installation and removal with kubectl.\n'
const BESIDE = '# Rendered from deploy/chart by `npm run render`, without definitions: those of the operator stay. ' +
  'See docs/how-to/beside-an-operator.md.\n'

/** The chart in the default namespace as manifests: with its default values, and beside an operator. */
export async function installManifests (): Promise<Record<string, string>> {
  return {
    'deploy/install.yaml': DEFAULTS + await installed(),
    'deploy/install-beside-operator.yaml': BESIDE + await installed('--set', 'definitions=operator')
  }
}

async function installed (...values: readonly string[]): Promise<string> {
  const namespace = ['--namespace', NAMESPACE, '--set', 'namespace.create=true']
  const { code, stdout, stderr } = await helm(['template', 'aim-admission', CHART, ...namespace, ...values])
  if (code !== 0) throw new Error(stderr)
  return stdout
}
