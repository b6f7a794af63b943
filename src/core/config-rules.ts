import { dependents, MAX_DEPENDENTS } from './dependents.ts'
import type { ConfigChange, Dependent } from './dependents.ts'
import type { Fault } from './faults.ts'
import type { World } from './ports.ts'
import { configTitle } from './runtime-config.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { problemText } from './template-problem.ts'

/** Every fault of a configuration that this request causes; `old` is undefined on CREATE. Pure. */
export function configFaults (config: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  return [...credentialFaults(config), ...templateFaults(config, old)]
}

/** How many services a new or changed configuration would break or move, and which first. */
export function changeWarnings (config: RuntimeConfig, world: World): string[] {
  const touched = dependents({ config, after: config }, world)
  const broken = touched.filter(({ before, after }) => after.path.kind === 'faulty' && before.path.kind !== 'faulty')
  const moved = touched.filter(({ before, after }) => before.path.kind === 'path' && after.path.kind !== 'faulty' && pathOf(before) !== pathOf(after))
  return [...told(broken, 'would lose their path, because its template cannot be rendered for them'), ...told(moved, 'would move to another path')]
}

/** Who uses a configuration that is about to go, and what they fall back to. */
export function deletionWarnings (config: ConfigChange['config'], world: World): string[] {
  const users = dependents({ config, after: undefined }, world)
  const [first] = users
  if (first === undefined) return []
  const fallback = first.after.config === undefined ? 'are left without a runtime configuration' : `fall back to ${configTitle(first.after.config)}`
  return told(users, `use ${configTitle(config)} and ${fallback}`)
}

function credentialFaults ({ kind, serviceAccountName, imagePullSecrets }: RuntimeConfig): Fault[] {
  if (kind === 'AIMRuntimeConfig') return []
  const given = [...(serviceAccountName === undefined ? [] : ['spec.serviceAccountName']), ...(imagePullSecrets.length === 0 ? [] : ['spec.imagePullSecrets'])]
  return given.map((field) => ({
    code: 'AIM-CREDENTIALS-IN-CLUSTER-CONFIG',
    field,
    message: `an AIMClusterRuntimeConfig carries no credentials, since every namespace would share them; move ${field} to an AIMRuntimeConfig in each namespace that needs it`
  }))
}

function templateFaults ({ template, routing }: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  if (template?.kind !== 'invalid' || old?.routing.pathTemplate === routing.pathTemplate) return []
  return template.problems.map((problem) => ({
    code: problem.code,
    field: 'spec.routing.pathTemplate',
    message: `${problemText(problem)}; ${problem.remedy ?? 'correct the template, or remove it so that the default applies'}`
  }))
}

function pathOf ({ path }: Dependent['before']): string | undefined {
  return path.kind === 'path' ? path.path : undefined
}

/** One line: the count, the first three by name, and what happens to them. */
function told (found: readonly Dependent[], what: string): string[] {
  if (found.length === 0) return []
  const names = found.slice(0, 3).map(({ service }) => `${service.namespace}/${service.name}`).join(', ')
  const count = found.length === MAX_DEPENDENTS ? `at least ${found.length}` : String(found.length)
  return [`${count} ${found.length === 1 ? 'service' : 'services'} (${names}${found.length > 3 ? ', …' : ''}) ${what}`]
}
