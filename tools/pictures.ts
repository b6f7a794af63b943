// `npm run pictures`: writes docs/pictures from the real program, on a real API server and in Chromium.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import packageJson from '../package.json' with { type: 'json' }
import { newProgram } from '../src/cli/program.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../test/support/builders/manifests.ts'
import { inNamespace } from '../test/support/cluster/cluster-client.ts'
import { startOwnCluster, type Cluster } from '../test/support/cluster/cluster.ts'
import { ADMIN_TOKEN, freePorts } from '../test/support/cluster/control-plane.ts'
import { fakeTerminal } from '../test/support/fakes/fake-terminal.ts'
import { startProduct } from '../test/support/programs/product.ts'
import { servePlayground } from '../test/support/programs/served-playground.ts'
import { until } from '../test/support/until.ts'
import { dashboardPicture, seriesOf, type Panel, type Range } from './dashboard-picture.ts'
import { terminalPicture } from './terminal-picture.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const PICTURES = path.join(ROOT, 'docs/pictures')

/** Seconds between two scrapes. */
const SCRAPE_S = 2

const cluster = await startOwnCluster()
const work = await mkdtemp(path.join(tmpdir(), 'aim-pictures-'))
const product = await startProduct(cluster, [
  '--with-reconciler', '--rollout-failure-limit', '2', '--admission-probe-interval', '5s',
  '--admission-probe-namespace', 'ml-search'
])
const prometheus = await startPrometheus()
try {
  await write('apply.svg', terminalPicture('kubectl apply: a refusal with its fix', await applied(cluster)))
  await write('explain.svg', terminalPicture('kubectl aim explain', await aim('explain translator -n ml-apps')))
  await rollouts(cluster)
  await write('status.svg', terminalPicture('kubectl aim status', await aim('status -A')))
  await load(cluster)
  await write('dashboard.svg', await dashboard())
  await screenshots()
} finally {
  await prometheus.stop()
  await product.stop()
  await cluster.stop()
  await rm(work, { recursive: true })
}

async function write (name: string, content: string | Buffer): Promise<void> {
  await writeFile(path.join(PICTURES, name), content)
}

function prompt (command: string): string {
  return `\u001B[32m$\u001B[39m \u001B[1m${command}\u001B[22m\n`
}

/** A service without the label that its configuration needs, and then with it. */
async function applied ({ kubectl }: Cluster): Promise<string> {
  const documents = (await readFile(path.join(ROOT, 'deploy/examples/custom-path.yaml'), 'utf8')).split(/^---\n/m)
  const [namespace = '', config = '', service = ''] = documents
  await kubectl(['apply', '-f', '-'], `${namespace}---\n${config}`)
  const file = path.join(work, 'translator.yaml')
  await writeFile(file, service.replace(/ +labels:\n.*\n/, ''))
  const refused = await kubectl(['apply', '-f', file])
  const labelled = await kubectl(['label', '--local', '-f', file, '-o', 'yaml', 'team=NLP'])
  const accepted = await kubectl(['-n', 'ml-apps', 'apply', '-f', '-'], labelled.stdout)
  const jsonpath = 'jsonpath={.spec.resolvedRuntimeConfig.routing.path}'
  const stored = await kubectl(['-n', 'ml-apps', 'get', 'aimservice', 'translator', '-o', jsonpath])
  return prompt('kubectl apply -f translator.yaml') + refused.stderr.replaceAll(`${work}/`, '') +
    '\n' + prompt('kubectl label --local -f translator.yaml -o yaml team=NLP | kubectl -n ml-apps apply -f -') +
    accepted.stdout + '\n' + prompt(`kubectl -n ml-apps get aimservice translator -o ${jsonpath}`) + stored.stdout
}

/** The output of the plugin, as on a terminal. */
async function aim (command: string): Promise<string> {
  const { terminal, shown } = fakeTerminal({ colors: true, screen: () => ({ columns: 100, rows: 40 }) })
  const { version, description } = packageJson
  const program = await newProgram({ name: 'kubectl aim', version, description, terminal }, () => true)
  await program.parseAsync([...command.split(' '), '--kubeconfig', cluster.kubeconfig], { from: 'user' })
  return prompt(`kubectl aim ${command}`) + shown.out
}

/** A rollout that is done, one that stopped at its canary, and one that halted. */
async function rollouts (cluster: Cluster): Promise<void> {
  const { store, aNamespace } = actionsOf(cluster)
  const config = (namespace: string, spec: object, rollout = 'all'): string => {
    const metadata = { annotations: { 'aim.silogen.ai/rollout': rollout } }
    return manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec, metadata })
  }
  const state = async (): Promise<string> => await aim('status -A -o json')
  const namespaces = ['ml-search', 'ml-speech', 'ml-vision']
  for (const namespace of namespaces) {
    await aNamespace(namespace)
    await store(config(namespace, routed()), ...Array.from({ length: 12 }, (_, at) =>
      manifest({ namespace, name: `model-${at}`, labels: at < 6 ? { team: 'nlp' } : {} })))
  }
  await until(async () => (await state()).match(/"current":12,.*"RolledOut"/g)?.length === namespaces.length)
  await store(config('ml-speech', { ...routed(), defaultStorageClassName: 'fast' }, 'canary=5'))
  await store(config('ml-vision', routed(BY_TEAM)))
  await until(async () => /"CanaryReached"/.test(await state()) && /"Halted"/.test(await state()))
}

/** The Prometheus of the PATH, which scrapes the product and the API server. */
async function startPrometheus (): Promise<{ url: string, startedAt: number, stop: () => Promise<void> }> {
  const [port = 0] = await freePorts(1)
  const config = path.join(work, 'prometheus.yml')
  await writeFile(config, JSON.stringify({
    global: { scrape_interval: `${SCRAPE_S}s`, scrape_timeout: `${SCRAPE_S}s` },
    scrape_configs: [
      { job_name: 'aim-admission', static_configs: [{ targets: [new URL(product.probeUrl).host] }] },
      {
        job_name: 'apiserver',
        scheme: 'https',
        authorization: { credentials: ADMIN_TOKEN },
        tls_config: { ca_file: path.join(cluster.dir, 'certs/apiserver.crt') },
        static_configs: [{ targets: [new URL(cluster.url).host] }]
      }
    ]
  }))
  const child = spawn('prometheus', [
    `--config.file=${config}`, `--storage.tsdb.path=${path.join(work, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'
  ], { stdio: ['ignore', 'inherit', 'inherit'] })
  await once(child, 'spawn') // rejects without Prometheus
  const url = `http://127.0.0.1:${port}`
  await until(async () => await fetch(`${url}/-/ready`).then(({ ok }) => ok, () => false))
  return {
    url,
    startedAt: Math.floor(Date.now() / 1_000),
    stop: async () => {
      const gone = once(child, 'exit')
      child.kill()
      await gone
    }
  }
}

/** A minute and a half of creates, changes, refusals, and deletes, more and fewer by turns. */
async function load ({ client }: Cluster): Promise<void> {
  const { services } = inNamespace('ml-search')
  const refused = manifest({ namespace: 'ml-search', name: 'refused', spec: routed('/{.metadata.name') })
  const noLabel = manifest({ namespace: 'ml-search', name: 'no-label', spec: routed(BY_TEAM) })
  const started = performance.now()
  for (let at = 0; performance.now() - started < 90_000; at++) {
    const name = `load-${at % 40}`
    await client.apply(manifest({ namespace: 'ml-search', name, labels: { team: `team-${at % 7}` } }))
    if (at % 8 === 0) await client.apply(at % 3 === 0 ? noLabel : refused).catch(() => {})
    if (at % 4 === 3) await client.remove(`${services}/${name}`)
    await delay(30 + 100 * (1 + Math.sin(at / 60)))
  }
}

/** The dashboard with what Prometheus has. */
async function dashboard (): Promise<string> {
  // the product's own file
  const { title, panels } = JSON.parse(
    await readFile(path.join(ROOT, 'deploy/dashboards/aim-admission.json'), 'utf8')
  ) as { title: string, panels: Panel[] }
  const range: Range = { from: prometheus.startedAt + 4, to: Math.floor(Date.now() / 1_000), step: SCRAPE_S }
  const drawn = await Promise.all(panels.map(async (panel) => (
    { panel, series: await seriesOf(prometheus.url, panel, range) }
  )))
  return dashboardPicture(`Dashboard ${title}`, drawn, range)
}

/** The playground with a refusal. */
async function screenshots (): Promise<void> {
  const { url, browser, close } = await servePlayground(path.join(work, 'playground'))
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(url)
    await page.waitForSelector('#outcome article')
    await page.selectOption('#example', 'missing-label')
    await page.waitForSelector('article.refused button.fix')
    await write('playground.png', await page.screenshot())
  } finally {
    await close()
  }
}
