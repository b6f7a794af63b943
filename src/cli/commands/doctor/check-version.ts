import { ownString } from '../../../platform/json.ts'
import type { ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './format.ts'

/** The oldest minor version of Kubernetes 1 on which the program is tested; the chart requires it as well. */
export const OLDEST_MINOR = 31

/** Whether the API server is not older than the program supports. */
export async function checkVersion (cluster: Pick<ClusterReader, 'read'>): Promise<CheckResult> {
  const about = { check: 'version', subject: 'the API server' } as const
  const live = await cluster.read('/version')
  if (live.kind !== 'found') {
    return { ...about, kind: 'unknown', what: live.kind === 'failed' ? live.reason : 'reports no version' }
  }
  const [major, minor] = ['major', 'minor'].map((name) => Number.parseInt(ownString(live.object, name), 10))
  const version = ownString(live.object, 'gitVersion')
  if (major === undefined || minor === undefined || Number.isNaN(major + minor)) {
    return { ...about, kind: 'unknown', what: `reports no version that can be compared: ${version}` }
  }
  return major > 1 || minor >= OLDEST_MINOR
    ? { ...about, kind: 'ok', what: `is Kubernetes ${version}` }
    : { ...about, kind: 'problem', what: `is Kubernetes ${version}; upgrade it to 1.${OLDEST_MINOR} or later` }
}
