import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'

export interface Alert {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string, readonly description: string, readonly runbook: string }
}

/** Limits a metric whose name other programs of a cluster use to the targets of this program. */
export const OF_THIS_PROGRAM = ' and on (job, instance) aim_admission_build_info'

const DEPLOY = path.resolve(import.meta.dirname, '../../../deploy')

/** The alerts of deploy/alerts.yaml. */
export async function alerts (): Promise<Alert[]> {
  const { groups } = parse(await readFile(path.join(DEPLOY, 'alerts.yaml'), 'utf8')) as {
    groups: Array<{ rules: Alert[] }>
  }
  return groups.flatMap(({ rules }) => rules)
}

/** Every expression of the alerts and of the dashboard, by its location. */
export async function expressions (): Promise<ReadonlyMap<string, string>> {
  const { panels } = JSON.parse(await readFile(path.join(DEPLOY, 'dashboards/aim-admission.json'), 'utf8')) as {
    panels: Array<{ title: string; targets?: Array<{ refId: string; expr: string }> }>
  }
  return new Map([
    ...(await alerts()).map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => [`panel ${title} ${refId}`, expr] as const)
    )
  ])
}
