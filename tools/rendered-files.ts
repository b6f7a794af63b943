import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { accessManifests } from '../src/cli/commands/manifests/access.ts'
import { newAdmissionEngine } from '../webhooks/engine.ts'
import { toYaml } from '../src/cli/output/formats.ts'
import { customResourceDefinitions } from '../src/api/custom-resource-definitions.ts'
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
  return {
    'deploy/crds/aim.silogen.ai.yaml': crds,
    'deploy/chart/files/crds.yaml': crds,
    'deploy/chart/files/rbac.yaml': toYaml(accessManifests({ namespace: NAMESPACE, certificates: 'self-managed' })),
    'deploy/chart/files/rbac-given-certificates.yaml':
      toYaml(accessManifests({ namespace: NAMESPACE, certificates: 'files' })),
    'deploy/chart/files/webhooks.yaml': toYaml(webhookConfigurations(webhooks, options)),
    'deploy/chart/files/alerts.yaml': await readFile(path.join(ROOT, 'deploy/alerts.yaml'), 'utf8'),
    'deploy/chart/files/dashboard.json': await readFile(path.join(ROOT, 'deploy/dashboards/aim-admission.json'), 'utf8')
  }
}

/** `deploy/install.yaml`: the chart with its default values in the default namespace. */
export async function installManifest (): Promise<string> {
  const namespace = ['--namespace', NAMESPACE, '--set', 'namespace.create=true']
  const { code, stdout, stderr } = await helm(['template', 'aim-admission', CHART, ...namespace])
  if (code !== 0) throw new Error(stderr)
  return '# Rendered from deploy/chart by `npm run render`. ' +
    `docs/installation.md describes installation and removal with kubectl.\n${stdout}`
}
