// Builds what the tests run beside the program before any of them starts: their time limits are for tests, not for a
// compiler.
import { chromium } from '../test/support/binaries/chromium.ts'
import { helmBinary } from '../test/support/binaries/helm.ts'
import { kubernetesBinaries } from '../test/support/binaries/kubernetes-binaries.ts'

try {
  await kubernetesBinaries()
  await helmBinary()
  await chromium()
} catch (error) {
  // told now, and again by each test that needs them, which fails
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
