import t, { type Test } from 'tap'
import { newProgram } from '../../../src/cli/program.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { GATEWAY, routed } from '../../support/builders/manifests.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { CREATE_FORMS } from '../../support/tenants/actor.ts'
import { aManifest, metricAt, startArena } from '../../support/tenants/arena.ts'
import { eventually } from '../../support/until.ts'

const arena = await startArena({ replicas: 1, serveFlags: ['--missing-config', 'refuse'] })
const { cluster, mallory, victim, platform } = arena
t.teardown(arena.stop)
const { kubeconfig } = cluster

/** Each would change what a terminal shows: ESC, BEL, CR, C1 CSI, and bidirectional controls. */
const CONTROLS = '\u001B]0;owned\u0007\u001B[31mred\r\u009B2Jclear\u202Ertl\u2066isolate\u200Fmark\u0085next\u2028line'
/** What a text output may not hold; its own line ends and, in color, its own colors aside. */
// eslint-disable-next-line no-control-regex
const HARMFUL = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/u
// eslint-disable-next-line no-control-regex
const OWN_COLORS = /\u001B\[[\d;]*m/g

function isHarmless (t: Test, text: string, title: string): void {
  const found = HARMFUL.exec(text)
  const around = found === null ? '' : text.slice(Math.max(0, found.index - 40), found.index + 40)
  t.equal(found, null, `${title}: ${JSON.stringify(around)}`)
}

function withoutColors (text: string, colors: boolean): string {
  return colors ? text.replaceAll(OWN_COLORS, '') : text
}

/** Runs a command in this process, with or without colors. */
async function run (args: readonly string[], colors = false): Promise<Shown> {
  const { terminal, shown } = fakeTerminal({ colors })
  const program = await newProgram(
    { name: 'aim-admission', version: '1.2.3', description: '', terminal }, (name) => name === args[0]
  )
  await program.parseAsync(args, { from: 'user' })
  return shown
}

/** An object of which each text that a user may write holds control characters. */
const service = (name: string, namespace = 'evil'): JsonObject => aManifest({
  namespace,
  name,
  metadata: { annotations: { note: CONTROLS, 'example.com/a': CONTROLS } },
  spec: {
    routing: {
      enabled: true,
      gatewayRef: GATEWAY,
      pathTemplate: "/{.metadata.annotations['note']}",
      annotations: { note: CONTROLS }
    },
    env: [{ name: 'NOTE', value: CONTROLS }]
  }
})
const config = (spec: object): JsonObject =>
  aManifest({ kind: 'AIMRuntimeConfig', namespace: 'evil', name: 'default', spec })

t.test('explain prints no control character of a stored object', async (t) => {
  const stored = await mallory.create(config({ defaultStorageClassName: `fast${CONTROLS}`, ...routed() }))
  t.ok(stored.code === 201 || stored.code === 422)
  await mallory.create(config(routed()))
  for (const [at, [form, write]] of Object.entries(CREATE_FORMS).entries()) {
    const outcome = await write(mallory, service(`hostile-${at}`))
    isHarmless(t, outcome.message, `message of ${form}`)
    isHarmless(t, outcome.warnings.join(), `warnings of ${form}`)
  }
  for (const colors of [false, true]) {
    const { out, err } = await run(['explain', '-n', 'evil', '--kubeconfig', kubeconfig], colors)
    t.match(out, 'hostile-0')
    isHarmless(t, withoutColors(out, colors), 'output')
    isHarmless(t, withoutColors(err, colors), 'errors')
  }
})

t.test('a probe that the own webhook refuses is a success', async (t) => {
  const { code, message } = await victim.create(aManifest({ namespace: 'victim', name: 'no-config' }))
  t.equal(code, 422, message)
  t.match(message, /runtime configuration/i)
  const flags = ['--admission-probe-interval', '200ms', '--admission-probe-namespace', 'victim']
  const reconciler = await arena.startReconciler(flags)
  const success = await eventually(async () => {
    const probed = await metricAt(reconciler.probeUrl, 'aim_admission_probe_duration_seconds')
    return probed === undefined || probed === 0
      ? undefined
      : await metricAt(reconciler.probeUrl, 'aim_admission_probe_success')
  })
  t.equal(success, 1)
  const failures = await metricAt(reconciler.probeUrl, 'aim_admission_probe_failures_total', '{reason="Refused"}')
  t.ok(failures === undefined || failures === 0)
  t.equal(await platform.get({ kind: 'AIMService', namespace: 'victim', name: 'no-config' }), undefined)
})
