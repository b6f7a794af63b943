import path from 'node:path'
import { run, type Ran } from '../processes.ts'
import { goBinary } from './go-binary.ts'

/** Folder of the chart, absolute. */
export const CHART = path.resolve(import.meta.dirname, '../../../deploy/chart')

/** Helm of the version in tools/go/helm, because tests compare its output. */
export async function helmBinary (): Promise<string> {
  return await goBinary({
    name: 'helm',
    source: 'helm.sh/helm/v4/cmd/helm',
    module: path.resolve(import.meta.dirname, '../../../tools/go/helm'),
    sources: []
  })
}

/** Runs Helm without the configuration of its user. */
export async function helm (args: readonly string[], kubeconfig = '/dev/null'): Promise<Ran> {
  const env = { KUBECONFIG: kubeconfig, HELM_CONFIG_HOME: '/nonexistent', HELM_PLUGINS: '/nonexistent' }
  return await run(await helmBinary(), args, { env })
}
