import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BY_TEAM, GATEWAY, manifest, routed, type Parts } from '../../support/builders/manifests.ts'
import { startProduct } from '../../support/programs/product.ts'
import { runPasted } from '../../support/programs/program.ts'
import { eventually } from '../../support/until.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const { kubectl } = cluster
const { apply, store, aNamespace } = actionsOf(cluster)
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})

const namespace = await aNamespace('team-a')
await store(
  manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: { routing: { gatewayRef: GATEWAY } } }),
  manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'by-team', spec: routed(BY_TEAM) }),
  manifest({ kind: 'AIMClusterRuntimeConfig', name: 'shared', spec: routed(BY_TEAM) }))

/** Runs a command as a person would who pastes it. */
async function run (command: string): Promise<number> {
  const { code, stderr } = await runPasted(command, { KUBECONFIG: cluster.kubeconfig, HOME: cluster.dir })
  if (code !== 0) t.comment(command, stderr)
  return code
}

const ENV = [{ name: 'A', value: '1' }, { name: 'B', value: '2' }]
const service = (template: string, parts: Parts = {}): string =>
  manifest({ namespace, name: 'a', labels: { app: 'x', empty: '' }, ...parts, spec: { ...routed(template), env: ENV } })
const TEMPLATE = 'spec.routing.pathTemplate: '

const TEMPLATES: Readonly<Record<string, { readonly template: string, readonly says: readonly string[] }>> = {
  'of 201 characters': {
    template: '/' + 'a'.repeat(200),
    says: [`${TEMPLATE}the template has 201 characters, at most 200 are allowed; shorten it`]
  },
  'with an expression that is not closed': {
    template: '/{.metadata.name',
    says: [`${TEMPLATE}the expression is not closed ({.metadata.name at position 2); end it with }`]
  },
  'with a stray brace': {
    template: '/a}b',
    says: [`${TEMPLATE}there is a "}" without a "{" before it (position 3); remove it, or write {"}"} for a brace in the path`]
  },
  'with an empty expression': {
    template: '/{}',
    says: [`${TEMPLATE}the expression is empty ({} at position 2); name a field, as in {.metadata.name}`]
  },
  'without the first dot': {
    template: '/{metadata.name}',
    says: [`${TEMPLATE}a dot is missing before metadata ({metadata.name} at position 3); write {.metadata.name}`]
  },
  'with a loop': {
    template: '/{range .spec.env[*]}{.metadata.name}{end}',
    says: [
      `${TEMPLATE}kubectl accepts "range", a path template does not: an expression yields one value and cannot loop ({range .spec.env[*]} at position 3); ` +
        'name one value, as in {.metadata.name}',
      `${TEMPLATE}kubectl accepts "end", a path template does not: an expression yields one value and cannot loop ({end} at position 39); ` +
        'name one value, as in {.metadata.name}'
    ]
  },
  'with a script': {
    template: '/{.spec.env[(@.length-1)].name}',
    says: [`${TEMPLATE}scripts and function calls are not supported ({.spec.env[(@.length-1)].name} at position 13); ` +
      'name a field, [-1] for the last item, or [?(@.name=="TEAM")] for a chosen item']
  },
  'with a regular expression': {
    template: '/{.spec.env[?(@.name=~"a")].name}',
    says: [
      `${TEMPLATE}regular expressions are not supported, as in kubectl ({.spec.env[?(@.name=~"a")].name} at position 21); write it as [?(@.name=="TEAM")]`
    ]
  },
  'that reads the status': {
    template: '/{.status.x}',
    says: [
      `${TEMPLATE}kubectl accepts .status, a path template does not: it is written after admission ({.status.x} at position 2); name a field of spec, or a label`
    ]
  },
  'with 17 expressions': {
    template: '/' + '{.kind}'.repeat(17), says: [`${TEMPLATE}the template has more than 16 expressions; the rest was not checked (position 114); remove some`]
  },
  'with a field that no service has': {
    template: '/{.metadata.nam}', says: [`${TEMPLATE}no service has a field .metadata.nam ({.metadata.nam} at position 2); write {.metadata.name}`]
  },
  'with a field that is not set': {
    template: '/{.spec.templateRef}',
    says: [
      `${TEMPLATE}field .spec.templateRef is not set on this service ({.spec.templateRef} at position 2); set it, or name a field that every service has`
    ]
  },
  'that yields a list': {
    template: '/{.spec.env}',
    says: [`${TEMPLATE}field .spec.env is a list ({.spec.env} at position 2); choose one item with an index, as in [0]`]
  },
  'that yields an object': {
    template: '/{.spec.model}',
    says: [`${TEMPLATE}field .spec.model is an object ({.spec.model} at position 2); name a field inside it`]
  },
  'that yields several values': {
    template: '/{.spec.env[*].name}',
    says: [
      `${TEMPLATE}2 values match ({.spec.env[*].name} at position 2); choose one with an index, or a filter such as [?(@.name=="TEAM")]`
    ]
  },
  'that climbs': {
    template: '/a/../b', says: [`${TEMPLATE}the path segment ".." is or hides "." or "..", which leads to another path (position 4); use other text or another value there`]
  },
  'whose path has 201 characters': {
    template: '/' + 'é'.repeat(33) + 'ab',
    says: [
      `${TEMPLATE}the rendered path has 201 characters, at most 200 are allowed: /${'%C3%A9'.repeat(9)}%C3%A…; shorten the template or the values that it names`
    ]
  },
  'with three things missing': {
    template: "/{.metadata.labels['a']}/{.metadata.annotations['b']}/{.spec.templateRef}",
    says: [
      'metadata.labels[a]: label "a" is not set on this service; labels set: app, empty; ' +
        'run: kubectl label --local -f FILE -o yaml a=<a> | kubectl -n team-a apply -f -',
      'metadata.annotations[b]: annotation "b" is not set on this service; ' +
        'run: kubectl annotate --local -f FILE -o yaml b=<b> | kubectl -n team-a apply -f -',
      `${TEMPLATE}field .spec.templateRef is not set on this service ({.spec.templateRef} at position 55); set it, or name a field that every service has`
    ]
  }
}

/** What kubectl prints of causes: one in the line, several as a list. */
function refusal (kind: string, name: string, says: readonly string[]): string {
  const [first] = says
  return `The ${kind} "${name}" is invalid: ${says.length === 1 ? String(first) : says.map((cause) => `\n* ${cause}`).join('')}\n`
}

for (const [name, { template, says }] of Object.entries(TEMPLATES)) {
  t.test(`a template ${name} is refused in these words`, async (t) => {
    const { code, stderr } = await apply(service(template))
    t.strictSame([code, stderr], [1, refusal('AIMService', 'a', says)])
    const dryRun = await kubectl(['apply', '--dry-run=server', '-f', '-'], service(template))
    t.equal(dryRun.stderr, stderr, 'a dry run says the same')
  })
}

t.test('a configuration is refused in the words of its template, of either kind', async (t) => {
  for (const name of ['of 201 characters', 'with an expression that is not closed', 'with a loop', 'with a script', 'with 17 expressions', 'that reads the status']) {
    const { template, says } = TEMPLATES[name] ?? { template: '', says: [] }
    t.equal(
      (await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'b', spec: routed(template) }))).stderr,
      refusal('AIMRuntimeConfig', 'b', says)
    )
    t.equal(
      (await apply(manifest({ kind: 'AIMClusterRuntimeConfig', name: 'b', spec: routed(template) }))).stderr,
      refusal('AIMClusterRuntimeConfig', 'b', says)
    )
  }
})

t.test('a configuration is admitted with a warning of each field that no service can have', async (t) => {
  const warningsOf = async (template: string) => {
    const { code, stderr } = await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'w', spec: routed(template) }))
    t.equal(code, 0, stderr)
    return stderr
  }
  t.match(
    await warningsOf('/{.spec.replica}/{.spec.model}/{.metadata.labels}'),
    new RegExp([
      'Warning: .*no service has a field \\.spec\\.replica \\(did you mean "replicas"\\?\\).*name a field of \\.spec: .*',
      'Warning: .*field \\.spec\\.model is an object .*name a field inside it: image, ref',
      'Warning: .*field \\.metadata\\.labels is an object '
    ].join('\n'))
  )
  const allowed = '/{.metadata.labels.any}/{.spec.env[0].value}/{.spec.resources.limits.cpu}/{.spec.model.ref}{.kind}'
  t.equal(await warningsOf(allowed), '')
})

t.test('a service is not asked to set a field that it cannot have', async (t) => {
  const { stderr } = await apply(service('/{.spec.replica}'))
  t.match(stderr, /no service has a field \.spec\.replica \(did you mean "replicas"\?\) .*; name a field of \.spec: /)
})

t.test('credentials in a cluster configuration are refused, and sent to their place', async (t) => {
  const { stderr } = await apply(
    manifest({
      kind: 'AIMClusterRuntimeConfig',
      name: 'c',
      spec: { serviceAccountName: 'a', imagePullSecrets: [{ name: 'x' }] }
    })
  )
  const why = 'Forbidden: credentials belong in an AIMRuntimeConfig of the namespace that needs them: remove'
  t.equal(stderr, refusal('AIMClusterRuntimeConfig', 'c', [
    `spec.serviceAccountName: ${why} serviceAccountName here and set it there`, `spec.imagePullSecrets: ${why} imagePullSecrets here and set it there`
  ]))
})

t.test('a path that is taken is refused with its holder, whom the command shows', async (t) => {
  await store(service('/same', { name: 'holder' }))
  const second = service('/same', { name: 'second' })
  const stderr = await eventually(async () => {
    const refused = await kubectl(['apply', '--dry-run=server', '-f', '-'], second)
    return refused.code === 0 ? undefined : refused.stderr
  })
  t.equal(stderr, refusal('AIMService', 'second', [
    `${TEMPLATE}path /same is already held by AIMService team-a/holder on gateway kgateway-system/kserve-gateway; ` +
    'set another spec.routing.pathTemplate; see: kubectl -n team-a get aimsvc/holder'
  ]))
  t.equal(await run(/see: (kubectl .+)$/m.exec(stderr)?.[1] ?? 'false'), 0)
})

/** The command that a refusal prints last, with what a person puts in. */
function commandIn (stderr: string, file: string): string {
  return (/run: (kubectl .+)$/m.exec(stderr)?.[1] ?? 'false').replace(/<\w+>/, 'nlp').replace('FILE', file)
}

const FIXED: Readonly<Record<string, { readonly parts: Parts, readonly stored?: Parts, readonly says: string }>> = {
  'a label of a new service': {
    parts: { name: 'm1', spec: routed("/m1/{.metadata.labels['team']}") },
    says: 'metadata.labels[team]: label "team" is not set on this service; ' +
      'run: kubectl label --local -f FILE -o yaml team=<team> | kubectl -n team-a apply -f -'
  },
  'an empty label of a new service': {
    parts: { name: 'm2', labels: { team: '' }, spec: routed("/m2/{.metadata.labels['team']}") },
    says: 'metadata.labels[team]: label "team" is empty; labels set: team; ' +
      'run: kubectl label --local -f FILE -o yaml --overwrite team=<team> | kubectl -n team-a apply -f -'
  },
  'an annotation of a new service': {
    parts: { name: 'm3', spec: routed("/m3/{.metadata.annotations['example.com/team']}") },
    says: 'metadata.annotations[example.com/team]: annotation "example.com/team" is not set on this service; ' +
      'run: kubectl annotate --local -f FILE -o yaml example.com/team=<team> | kubectl -n team-a apply -f -'
  },
  'a label that the namespace\'s configuration asks for': {
    parts: { name: 'm4', spec: { runtimeConfigName: 'by-team' } },
    says: 'metadata.labels[team]: label "team" is not set on this service; the path template of AIMRuntimeConfig team-a/by-team needs it; ' +
      'run: kubectl label --local -f FILE -o yaml team=<team> | kubectl -n team-a apply -f -'
  },
  'a label that the cluster\'s configuration asks for, of a stored service': {
    stored: { name: 'm5', labels: { app: 'x' } },
    parts: { name: 'm5', labels: { app: 'x' }, spec: { runtimeConfigName: 'shared' } },
    says: 'metadata.labels[team]: label "team" is not set on this service; the path template of AIMClusterRuntimeConfig shared needs it; ' +
      'labels set: app; run: kubectl -n team-a label aimsvc/m5 team=<team>'
  },
  'an annotation of a stored service': {
    stored: { name: 'm6' },
    parts: { name: 'm6', spec: routed("/m6/{.metadata.annotations['team']}") },
    says: 'metadata.annotations[team]: annotation "team" is not set on this service; ' +
      'run: kubectl -n team-a annotate aimsvc/m6 team=<team>'
  }
}

for (const [what, { parts, stored, says }] of Object.entries(FIXED)) {
  t.test(`${what} is fixed by the command in the refusal`, async (t) => {
    const changed = manifest({ namespace, ...parts })
    if (stored !== undefined) await store(manifest({ namespace, ...stored }))
    const { stderr } = await apply(changed)
    t.equal(stderr, refusal('AIMService', String(parts.name), [says]))
    const file = path.join(cluster.dir, `${String(parts.name)}.json`)
    await writeFile(file, changed)
    const pasted = /run: (kubectl .+)$/m.exec(stderr)?.[1] ?? 'true'
    t.not(await run(pasted.replace('FILE', file)), 0, 'unedited, no shell runs it')
    t.equal(await run(commandIn(stderr, file)), 0)
    if (stored !== undefined) t.equal((await apply(changed)).code, 0, 'then it is admitted')
    t.equal((await kubectl(['-n', namespace, 'get', 'aimsvc', String(parts.name)])).code, 0)
  })
}

t.test('a service under generateName is fixed by a command that creates it', async (t) => {
  const generated = manifest({
    namespace,
    metadata: { generateName: 'gen-' },
    spec: routed("/{.metadata.labels['team']}")
  })
  const { stderr } = await kubectl(['create', '-f', '-'], generated)
  t.match(stderr, /run: kubectl label --local -f FILE -o yaml team=<team> \| kubectl -n team-a create -f -\n$/)
  await writeFile(path.join(cluster.dir, 'generated.json'), generated)
  t.equal(await run(commandIn(stderr, path.join(cluster.dir, 'generated.json'))), 0)
})
