import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from 'commander'
import { API_VERSION, GROUP, VERSION } from '../../../api/meta.ts'
import { runUntilSignal, type Stop } from '../../../app/process.ts'
import type { Listening } from '../../../app/serve.ts'
import type { ProcessSettings } from '../../../app/settings.ts'
import { openProcessLog, type ProcessLog } from '../../../telemetry/process-log.ts'
import { newCommand } from '../../flags/read-flags.ts'
import {
  reconcileFlags, reconcileSettings, serveFlags, serveSettings, type ReconcileFlags, type ServeFlags
} from '../../flags/settings.ts'

interface ServeDependencies { readonly version: string, readonly write: (text: string) => void }

/** `aim-admission serve`: the admission server, until a signal ends it. */
export function serveCommand ({ version, write }: ServeDependencies): Command {
  const onListening = (address: Listening): void => {
    if (process.env['AIM_ADMISSION_DEMO'] !== undefined) printDemo(address, write)
  }
  return newCommand('serve',
    'run the admission server in a cluster, with --kubeconfig, or on the embedded store with --manifests',
    serveFlags()
  ).action(async (flags: ServeFlags) => {
    const settings = serveSettings(flags)
    await run(settings, async (log) =>
      await (await import('../../../app/serve.ts')).startServer(settings, { version, log, onListening }))
  })
}

/** `aim-admission reconcile`: the reconciler, until a signal ends it. */
export function reconcileCommand ({ version }: Pick<ServeDependencies, 'version'>): Command {
  return newCommand('reconcile',
    'run the reconciler, which writes status and rolls changed configurations out; one replica leads',
    reconcileFlags()
  ).action(async (flags: ReconcileFlags) => {
    const settings = reconcileSettings(flags)
    await run(settings, async (log) =>
      await (await import('../../../app/reconcile.ts')).startReconciler(settings, log, version))
  })
}

async function run (
  { logLevel, logFormat }: ProcessSettings, start: (log: ProcessLog['log']) => Promise<Stop>
): Promise<void> {
  const processLog = await openProcessLog(logLevel, logFormat)
  await runUntilSignal(processLog, async () => await start(processLog.log))
}

/** Prints a request to paste: the review of a service that fits deploy/examples. */
function printDemo ({ url, probeUrl, caPem }: Listening, write: (text: string) => void): void {
  if (caPem === undefined) return
  const folder = mkdtempSync(path.join(tmpdir(), 'aim-admission-'))
  const [caFile, reviewFile] = [path.join(folder, 'ca.crt'), path.join(folder, 'review.json')]
  writeFileSync(caFile, caPem)
  writeFileSync(reviewFile, JSON.stringify(EXAMPLE, null, 2))
  write(`aim-admission serves reviews at ${url}, probes and metrics at ${probeUrl}

Send the review of the service in ${reviewFile}:

  curl --silent --cacert ${caFile} --json @${reviewFile} ${url}/mutate/aimservices

The response is an AdmissionReview. Decode its patch with
  … | node -p 'Buffer.from(JSON.parse(require("fs").readFileSync(0)).response.patch, "base64").toString()'
It adds spec.runtimeConfigName and spec.resolvedRuntimeConfig.

The same in a browser, while you type: ${probeUrl}/playground

Press Ctrl-C to stop the server.
`)
}

const EXAMPLE = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: GROUP, version: VERSION, kind: 'AIMService' },
    resource: { group: GROUP, version: VERSION, resource: 'aimservices' },
    namespace: 'ml-team',
    name: 'llama-chat',
    operation: 'CREATE',
    dryRun: false,
    object: {
      apiVersion: API_VERSION,
      kind: 'AIMService',
      metadata: { name: 'llama-chat', namespace: 'ml-team', labels: { team: 'nlp' } },
      spec: { model: { ref: 'meta-llama-3-8b' } }
    }
  }
}
