import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Ran } from '../cluster/cluster.ts'
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
  const env = { ...process.env, KUBECONFIG: kubeconfig, HELM_CONFIG_HOME: '/nonexistent', HELM_PLUGINS: '/nonexistent' }
  const child = spawn(await helmBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode ?? 1, stdout, stderr }
}
