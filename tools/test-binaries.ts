// Builds or installs the binaries of the tests before they start: their timeouts do not allow for a compiler.
import { chromium } from '../test/support/binaries/chromium.ts'
import { helmBinary } from '../test/support/binaries/helm.ts'
import { kubernetesBinaries } from '../test/support/binaries/kubernetes-binaries.ts'
import { actionlint, krew } from '../test/support/binaries/release-tools.ts'
import { httpRouteDefinition } from '../test/support/operator/install.ts'

try {
  await kubernetesBinaries()
  await helmBinary()
  await httpRouteDefinition()
  await actionlint()
  await krew()
  await chromium()
} catch (error) {
  // Only a warning: each test that needs the binary fails.
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
