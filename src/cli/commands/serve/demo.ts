import { API_VERSION, GROUP, VERSION } from '../../../api/meta.ts'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Listening } from '../../../app/serve.ts'

/** Prints a request to paste: the review of a service that fits deploy/examples. */
export function printDemo ({ url, probeUrl, caPem }: Listening, write: (text: string) => void): void {
  if (caPem === undefined) return
  const folder = mkdtempSync(path.join(tmpdir(), 'aim-admission-'))
  const caFile = path.join(folder, 'ca.crt')
  const reviewFile = path.join(folder, 'review.json')
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
