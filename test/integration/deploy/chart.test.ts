import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse, parseDocument } from 'yaml'
import packageJson from '../../../package.json' with { type: 'json' }
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { chartFiles, installManifests } from '../../../tools/rendered-files.ts'
import { KINDS } from '../../../src/api/kinds.ts'
import { valuesTable } from '../../../tools/chart-values.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { OLDEST_MINOR } from '../../../src/cli/commands/doctor/check-surroundings.ts'
import { reconcileCommand, serveCommand } from '../../../src/cli/commands/serve/command.ts'
import { webhookConfigurations, type WebhookConfigurationOptions } from '../../../webhooks/webhook-configurations.ts'
import { CHART, helm } from '../../support/binaries/helm.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aTestAuthority, type KeyPair } from '../../support/builders/test-certificates.ts'
import { startProgram } from '../../support/programs/program.ts'
import {
  asFlags, CHART_VARIANTS, DEPENDENT_CHART, objectsIn, renderedChart, titleOf
} from '../../support/cluster/rendered-chart.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const fileText = async (file: string): Promise<string> => await readFile(path.join(ROOT, file), 'utf8')

t.test('the generated files of deploy/ are up to date', async (t) => {
  for (const [file, content] of Object.entries({ ...await chartFiles(), ...await installManifests() })) {
    t.ok(await fileText(file) === content, `${file}: run npm run render`)
  }
})

for (const [name, values] of Object.entries(CHART_VARIANTS)) {
  t.test(`the chart ${name} passes helm lint, renders the same twice, and holds no key`, async (t) => {
    const { code, stdout, stderr } = await helm(['lint', '--strict', CHART, ...asFlags(values)])
    t.equal(code, 0, stdout + stderr)
    const rendered = await renderedChart(values)
    t.ok(rendered === await renderedChart(values), 'same output twice')
    t.notMatch(rendered, /PRIVATE KEY|^kind: Secret$/m)
    const titles = objectsIn(rendered).map(titleOf)
    t.equal(new Set(titles).size, titles.length, 'no duplicate object')
  })
}

const refused: Record<string, { values: JsonObject, want: RegExp }> = {
  'an unknown failurePolicy': { values: { webhooks: { failurePolicy: 'Maybe' } }, want: /failurePolicy/ },
  'a timeout of more than 5 s': { values: { webhooks: { timeoutSeconds: 10 } }, want: /timeoutSeconds/ },
  'zero replicas': { values: { serve: { replicas: 0 } }, want: /replicas/ },
  'definitions of a third party': { values: { definitions: 'theirs' }, want: /definitions/ },
  'a misspelt value': { values: { serve: { replica: 3 } }, want: /replica/ },
  'an unknown certificate mode': { values: { certificates: { mode: 'magic' } }, want: /mode/ },
  'names of clients without a CA': { values: { clientCertificates: { names: ['a'] } }, want: /clientCertificates/ },
  'a comma in the name of a client': {
    values: { clientCertificates: { caSecret: 'a', names: ['a,b'] } }, want: /names/
  },
  'two CAs of clients': { values: { clientCertificates: { caSecret: 'a', caConfigMap: 'b' } }, want: /clientCert/ },
  'a variable that the chart sets': {
    values: { serve: { extraEnv: [{ name: 'AIM_ADMISSION_PORT', value: '1' }] } },
    want: /serve\.extraEnv sets AIM_ADMISSION_PORT, which the chart sets/
  },
  'global pull secrets as a text': { values: { global: { imagePullSecrets: 'mirror' } }, want: /imagePullSecrets/ },
  'a key as caBundle': {
    values: {
      certificates: { mode: 'files', caBundle: Buffer.from('-----BEGIN PRIVATE KEY-----').toString('base64') }
    },
    want: /caBundle/
  }
}
for (const [name, { values, want }] of Object.entries(refused)) {
  t.test(`the chart rejects ${name}`, async (t) => {
    await t.rejects(renderedChart(values), { message: want })
  })
}

/** Objects of a kind, by name. */
function ofKind (objects: readonly JsonObject[], kind: string): Record<string, JsonObject> {
  return Object.fromEntries(
    objects
      .filter((object) => object['kind'] === kind)
      .map((object) => [(object['metadata'] as { name: string }).name, object])
  )
}

interface Registration {
  readonly values: JsonObject
  readonly want: Omit<WebhookConfigurationOptions, 'client' | 'namespace'>
  readonly exempt: string[]
}

const registrations: Record<string, Registration> = {
  'with default values': {
    values: {},
    want: { failurePolicy: 'Fail', timeoutSeconds: 5 },
    exempt: ['kube-system', 'platform']
  },
  'failing open': {
    values: CHART_VARIANTS['failing open'] ?? {},
    want: { failurePolicy: 'Ignore', timeoutSeconds: 2 },
    exempt: ['kube-system', 'platform', 'sandbox']
  }
}
for (const [name, { values, want, exempt }] of Object.entries(registrations)) {
  t.test(`the chart ${name} registers the webhooks of the program, without caBundle`, async (t) => {
    const client = { kind: 'service', name: 'aim-admission', namespace: 'platform' } as const
    const { webhooks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
    const records = webhookConfigurations(webhooks, { ...want, client, namespace: 'platform' })
    const selector = { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exempt }] }
    const expected = JSON.parse(JSON.stringify(records), (key, value: unknown) =>
      key === 'namespaceSelector' ? selector : value) as JsonObject[]
    const rendered = objectsIn(await renderedChart(values, 'platform')).filter(
      ({ kind }) => String(kind).endsWith('WebhookConfiguration')
    )
    t.strictSame(new Set(rendered.map(titleOf)), new Set(expected.map(titleOf)))
    for (const object of rendered) {
      const { metadata: { labels, ...metadata }, ...rest } = object as JsonObject & { metadata: JsonObject }
      t.ok(labels)
      t.strictSame({ ...rest, metadata }, expected.find((other) => titleOf(other) === titleOf(object)))
    }
  })
}

const COMMANDS = [serveCommand({ version: '0.0.0', write: () => undefined }), reconcileCommand({ version: '0.0.0' })]

interface Container {
  readonly args: string[]
  readonly env: ReadonlyArray<{ readonly name: string, readonly value?: string }>
  readonly volumeMounts?: ReadonlyArray<{ readonly name: string, readonly mountPath: string }>
}
interface PodTemplate {
  readonly spec: {
    readonly serviceAccountName: string
    readonly containers: readonly Container[]
    readonly volumes?: ReadonlyArray<JsonObject & { readonly name: string }>
  }
}

t.test('every variable of a pod is a flag of its command, and each command has its service account', async (t) => {
  for (const [variant, values] of Object.entries(CHART_VARIANTS)) {
    const rendered = objectsIn(await renderedChart(values))
    const accounts = Object.keys(ofKind(rendered, 'ServiceAccount'))
    t.strictSame(accounts, ['aim-admission', 'aim-admission-reconcile'])
    for (const [name, deployment] of Object.entries(ofKind(rendered, 'Deployment'))) {
      const {
        spec: {
          serviceAccountName,
          containers: [container]
        }
      } = (deployment['spec'] as { template: PodTemplate }).template
      t.equal(serviceAccountName, name)
      const flags =
        COMMANDS.find((command) => command.name() === container?.args[0])?.options.map(({ envVar }) => envVar) ?? []
      const unknown = container?.env.filter(({ name }) => !flags.includes(name) && name !== 'HTTPS_PROXY')
      t.strictSame(unknown, [], `${variant}: ${name}`)
    }
  }
})

t.test('with default values, a pod has the defaults of the flags, and listens on every address', async (t) => {
  for (const command of COMMANDS) {
    const pod = await podOf({}, command.name() === 'serve' ? 'aim-admission' : 'aim-admission-reconcile')
    const defaults = new Map(command.options.map(({ envVar, defaultValue }) => [envVar, defaultValue as unknown]))
    const set = pod.containers[0]?.env.filter(({ value }) => value !== undefined) ?? []
    t.ok(set.length > 5)
    const others = set.filter(({ name, value }) => value !== defaults.get(name))
    t.strictSame(others, [{ name: 'AIM_ADMISSION_HOST', value: '0.0.0.0' }], command.name())
  }
})

/** The pod that a Deployment of the chart creates. */
async function podOf (values: JsonObject, name = 'aim-admission'): Promise<PodTemplate['spec']> {
  const deployment = ofKind(objectsIn(await renderedChart(values)), 'Deployment')[name]
  return (deployment?.['spec'] as { template: PodTemplate }).template.spec
}

t.test('serve with the settings of the chart refuses clients without a certificate of the given CA', async (t) => {
  const authority = await aTestAuthority('callers')
  const { caPem, certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
  const mounted: Record<string, Record<string, string>> = {
    tls: { 'tls.crt': certPem, 'tls.key': keyPem }, 'client-ca': { 'ca.crt': authority.cert }
  }
  const folder = t.testdir({ manifests: {}, ...mounted })
  const { volumes, containers: [container] } = await podOf(CHART_VARIANTS['with client certificates'] ?? {})
  t.match(volumes?.find(({ name }) => name === 'client-ca'), {
    configMap: { name: 'callers', items: [{ key: 'ca.crt', path: 'ca.crt' }] }
  })
  const inFolder = (value: string): string => (container?.volumeMounts ?? []).reduce(
    (text, { name, mountPath }) => text.replace(mountPath, path.join(folder, name)), value)
  const variables = (container?.env ?? []).flatMap(({ name, value }) => value === undefined ? [] : [[name, value]])
  const program = startProgram(container?.args ?? [], {
    ...Object.fromEntries(variables.map(([name = '', value = '']) => [name, inFolder(value)])),
    AIM_ADMISSION_MANIFESTS: path.join(folder, 'manifests'),
    AIM_ADMISSION_PORT: '0',
    AIM_ADMISSION_PROBE_PORT: '0'
  })
  t.teardown(async () => { await program.stop() })
  const { url } = await program.logged('serving')
  const post = async (pair: Partial<KeyPair>): Promise<number | undefined> => {
    const target = new URL('/mutate/aimservices', String(url))
    target.hostname = '127.0.0.1'
    const headers = { 'content-type': 'application/json' }
    const call = request(target, { method: 'POST', headers, ca: caPem, ...pair, agent: false })
    call.end(aReview())
    const [response] = await once(call, 'response') as [IncomingMessage] // what the event carries
    return response.resume().statusCode
  }
  t.equal(await post({}), 403)
  t.equal(await post(await authority.issue('another')), 403)
  t.equal(await post(await authority.issue('kube-apiserver')), 200)
  t.equal(await post(await authority.issue('kube apiserver')), 200)
})

t.test('the CA of client certificates may come from a Secret, without its key', async (t) => {
  const values = CHART_VARIANTS['with client certificates of a CA in a Secret'] ?? {}
  t.match((await podOf(values)).volumes, [
    { name: 'client-ca', secret: { secretName: 'callers', items: [{ key: 'ca.crt', path: 'ca.crt' }] } }
  ])
  t.equal((await podOf(values, 'aim-admission-reconcile')).volumes, undefined)
})

t.test('beside an operator the chart has no definition, and other flags; all else is the same', async (t) => {
  const beside = await renderedChart({ definitions: 'operator' })
  const settings = /^ *- \{name: AIM_ADMISSION_(?:INJECT, value: "record,fields"|PATH_SEGMENTS, value: "dns")\}\n/gm
  t.equal(beside.match(settings)?.length, 4, 'serve and reconcile')
  const others = objectsIn(await renderedChart()).filter(({ kind }) => kind !== 'CustomResourceDefinition')
  const withDefaults = beside.replaceAll('"record,fields"', '"record"').replaceAll('"dns"', '"rfc3986"')
  t.strictSame(objectsIn(withDefaults), others)
  for (const deployment of Object.values(ofKind(objectsIn(beside), 'Deployment'))) {
    const [container] = (deployment['spec'] as { template: PodTemplate }).template.spec.containers
    const names = container?.env.map((variable) => variable.name) ?? []
    t.strictSame(names, [...new Set(names)], 'no variable is set twice')
  }
})

const SET = CHART_VARIANTS['as charts of this kind are set'] ?? {}

t.test('global values and those of pods apply to every pod, and change nothing that selectors match', async (t) => {
  const rendered = objectsIn(await renderedChart(SET))
  const { 'aim-admission': serve, 'aim-admission-reconcile': reconcile } = ofKind(rendered, 'Deployment')
  for (const deployment of [serve, reconcile]) {
    const { selector, template } = deployment?.['spec'] as { selector: { matchLabels: JsonObject }, template: Pod }
    t.match(template.metadata.labels, { ...selector.matchLabels, team: 'platform', cost: 'shared' })
    t.equal(selector.matchLabels['app.kubernetes.io/name'], 'aim-admission')
    t.match(template.spec, {
      imagePullSecrets: [{ name: 'registry' }, { name: 'mirror' }],
      containers: [{ image: /^mirror\.example:5000\/aim-admission:\d/ }]
    })
    t.strictSame(template.spec['securityContext'], { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
  }
  t.match((serve?.['spec'] as { template: Pod }).template, {
    metadata: { labels: { sidecar: 'yes' }, annotations: { 'kubectl.kubernetes.io/default-container': 'serve' } },
    spec: {
      volumes: [{ name: 'extra' }],
      topologySpreadConstraints: [],
      containers: [{ volumeMounts: [{ name: 'extra' }] }]
    }
  })
  t.match((reconcile?.['spec'] as { template: Pod }).template.spec, {
    topologySpreadConstraints: [{ maxSkew: 2, labelSelector: undefined }]
  })
  for (const { kind, metadata } of rendered) {
    t.match((metadata as JsonObject)['labels'], { team: kind === 'ServiceMonitor' ? 'monitoring' : 'platform' })
  }
  const labels = rendered.filter(({ kind }) => String(kind).endsWith('WebhookConfiguration'))
    .map(({ metadata }) => ((metadata as JsonObject)['labels'] as JsonObject)['admissions.enforcer/disabled'])
  t.strictSame(labels, ['true', 'true'])
})

interface Pod {
  readonly metadata: { readonly labels: JsonObject, readonly annotations: JsonObject }
  readonly spec: JsonObject
}

t.test('a chart that depends on this one switches it by a condition, and sets its values', async (t) => {
  const folder = t.testdir(DEPENDENT_CHART)
  const updated = await helm(['dependency', 'update', folder])
  t.equal(updated.code, 0, updated.stderr)
  const titlesWith = async (...flags: string[]): Promise<{ titles: string[], text: string }> => {
    const { code, stdout, stderr } = await helm(['template', 'stack', folder, '--namespace', 'aim-system', ...flags])
    t.equal(code, 0, stderr)
    return { titles: objectsIn(stdout).map(titleOf), text: stdout }
  }
  const on = await titlesWith()
  t.strictSame(new Set(on.titles), new Set([...objectsIn(await renderedChart()).map(titleOf), 'ConfigMap own']))
  t.match(on.text, /image: "mirror\.example\/aim-admission:/)
  t.match(on.text, /runAsUser: 65532/)
  for (const flags of [
    ['--api-versions', 'security.openshift.io/v1'],
    ['--set', 'global.compatibility.openshift.adaptSecurityContext=force'],
    ['--set', 'aim-admission.podSecurityContext.runAsUser=null,aim-admission.podSecurityContext.runAsGroup=null,' +
      'aim-admission.podSecurityContext.fsGroup=null']
  ]) {
    t.notMatch((await titlesWith(...flags)).text, /runAsUser: \d|runAsGroup: \d|fsGroup: \d/, flags.join(' '))
  }
  t.strictSame((await titlesWith('--set', 'aim-admission.enabled=false')).titles, ['ConfigMap own'])
})

t.test('the roles for users cover the three kinds, and grant nothing else', async (t) => {
  const roles = ofKind(objectsIn(await renderedChart()), 'ClusterRole')
  t.match(roles['aim-admission-view'], {
    rules: [
      {
        resources: KINDS.map(({ plural }) => plural)
          .toSorted()
          .toReversed(),
        verbs: ['get', 'list', 'watch']
      }
    ]
  })
  t.match(roles['aim-admission-edit'], {
    rules: [{ resources: ['aimservices', 'aimruntimeconfigs'], verbs: ['create', 'update', 'patch', 'delete'] }]
  })
  for (const [role, extended] of [['view', ['view', 'edit', 'admin']], ['edit', ['edit', 'admin']]] as const) {
    const labels = extended.map((name) => [`rbac.authorization.k8s.io/aggregate-to-${name}`, 'true'])
    t.match(roles[`aim-admission-${role}`], { metadata: { labels: Object.fromEntries(labels) as JsonObject } })
  }
  for (const role of ['aim-admission-view', 'aim-admission-edit']) {
    t.notMatch(JSON.stringify(roles[role]), /impersonate|"\*"/)
  }
})

t.test('the policy limits the account of the release, and only with self-managed certificates', async (t) => {
  const policyOf = async (values: JsonObject) =>
    JSON.stringify(ofKind(objectsIn(await renderedChart(values, 'platform')), 'ValidatingAdmissionPolicy'))
  t.match(await policyOf({}), /username == 'system:serviceaccount:platform:aim-admission'/)
  t.equal(await policyOf({ certificates: { mode: 'cert-manager' } }), '{}')
})

t.test('only self-managed certificates need rights on Secrets and webhook configurations', async (t) => {
  for (const [variant, values] of Object.entries(CHART_VARIANTS)) {
    const { mode = 'self-managed' } = (values['certificates'] ?? {}) as { mode?: string }
    const rules = objectsIn(await renderedChart(values, 'platform'))
      .filter(({ kind }) => String(kind).endsWith('Role')).map(({ rules }) => JSON.stringify(rules)).join()
    const sensitive = ['"secrets"', '"mutatingwebhookconfigurations"', '"validatingwebhookconfigurations"']
    t.strictSame(
      sensitive.map((resource) => rules.includes(resource)),
      sensitive.map(() => mode === 'self-managed'),
      variant
    )
  }
})

t.test('only the configured peers reach the port of metrics, by default the pods of the cluster', async (t) => {
  const monitoring = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } }
  }
  for (const [metrics, peers] of [[[], [{ namespaceSelector: {} }]], [[monitoring], [monitoring]]]) {
    const objects = objectsIn(await renderedChart({ networkPolicy: { metrics } }))
    const policies = Object.entries(ofKind(objects, 'NetworkPolicy'))
    t.strictSame(policies.map(([name]) => name), ['aim-admission', 'aim-admission-reconcile'])
    for (const [name, { spec }] of policies) {
      const { ingress, policyTypes } = spec as { ingress: Array<{ ports: JsonObject[] }>, policyTypes: string[] }
      t.ok(policyTypes.includes('Ingress'), name)
      t.ok(ingress.every(({ ports }) => ports.length > 0), `${name}: no rule without ports, which would open all`)
      t.strictSame(
        ingress.filter(({ ports }) => ports.some(({ port }) => port === 'probes' || port === 8080)),
        [{ ports: [{ port: 'probes', protocol: 'TCP' }], from: peers }],
        name
      )
    }
  }
})

t.test('the package of the chart holds what Helm and its readers need, and renders like the folder', async (t) => {
  const folder = t.testdir({})
  const packed = await helm(['package', CHART, '--destination', folder])
  t.equal(packed.code, 0, packed.stderr)
  const [name = ''] = await readdir(folder)
  const archive = path.join(folder, name)
  const { stdout } = await promisify(execFile)('tar', ['tzf', archive])
  const files = stdout.trim().split('\n').map((file) => file.replace(/^aim-admission\//, ''))
  t.same(files.filter((file) => !/^(?:templates|files)\//.test(file)).sort(), [
    '.helmignore', 'Chart.yaml', 'README.md', 'values.schema.json', 'values.yaml'
  ])
  const others = files.filter((file) => !/\.(?:yaml|json|tpl|md|txt)$/.test(file) && file !== '.helmignore')
  t.same(others, [], 'no file of an editor or a system')
  const render = async (chart: string): Promise<string> => (await helm(['template', 'x', chart])).stdout
  t.equal(await render(archive), await render(CHART))
})

t.test('the chart has the version of the program, which no release has yet', async (t) => {
  t.match(
    await fileText('deploy/chart/Chart.yaml'),
    new RegExp(`^version: ${packageJson.version}\nappVersion: ${packageJson.version}$`, 'm')
  )
  const [unreleased = '', ...released] = (await fileText('CHANGELOG.md')).split(/^## /m).slice(1)
  if (/^- /m.test(unreleased)) {
    t.notOk(released.some((section) => section.startsWith(packageJson.version)), 'raise the version: it is released')
  }
})

t.test('Chart.yaml has what chart-testing and Artifact Hub require, and names the three kinds', async (t) => {
  const { maintainers, kubeVersion, annotations } = parse(await fileText('deploy/chart/Chart.yaml')) as ChartFile
  t.ok(maintainers.length > 0 && maintainers.every(({ name }) => name !== ''))
  t.equal(kubeVersion, `>=1.${OLDEST_MINOR}.0-0`)
  t.equal(annotations['artifacthub.io/license'], packageJson.license)
  const crds = parse(annotations['artifacthub.io/crds'] ?? '') as JsonObject[]
  t.strictSame(
    crds.map(({ kind, name }) => `${String(kind)} ${String(name)}`).toSorted(),
    KINDS.map(({ kind, plural }) => `${kind} ${plural}.aim.silogen.ai`).toSorted()
  )
  const [example] = parse(annotations['artifacthub.io/crdsExamples'] ?? '') as JsonObject[]
  t.equal(example?.['kind'], 'AIMClusterRuntimeConfig')
})

interface ChartFile {
  readonly maintainers: ReadonlyArray<{ readonly name: string }>
  readonly kubeVersion: string
  readonly annotations: Readonly<Record<string, string>>
}

/** Rules of yamllint that chart-testing checks by default, where they do not follow from parsing. */
const LAYOUT: Readonly<Record<string, RegExp>> = {
  'a space at the end of a line': /[ \t]$/m,
  'a tab': /\t/,
  'a carriage return': /\r/,
  'a comment without a space': /^ *#[^ \n]/m,
  'spaces in braces': /\{ | \}(?!\})/,
  'more than two empty lines': /\n{4}/,
  'no single line end at the end': /(?:[^\n]|\n\n)$/,
  'a truth value that is not true or false': /: (?:yes|no|on|off)$/mi
}

t.test('the YAML files of the chart pass the rules of yamllint', async (t) => {
  for (const name of ['Chart.yaml', 'values.yaml']) {
    const text = await fileText(`deploy/chart/${name}`)
    const { errors, warnings } = parseDocument(text, { strict: true, uniqueKeys: true })
    t.strictSame([...errors, ...warnings], [])
    for (const [fault, pattern] of Object.entries(LAYOUT)) t.notMatch(text, pattern, `${name}: ${fault}`)
  }
})

t.test('each value has a description: a value without a comment stops the rendering', async (t) => {
  t.throws(() => valuesTable('a:\n  # described\n  b: 1\n  c: {}\n'), { message: /a\.c has no comment/ })
  t.match(valuesTable('# the first\na:\n  # of b\n  # and | more\n  b: true\n'), '| `a` | object |')
  t.match(valuesTable('a:\n  # of b\n  # and | more\n  b: true\n'), '| `a.b` | bool | `true` | of b and \\| more |')
})
