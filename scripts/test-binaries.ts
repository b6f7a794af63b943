// Builds what the cluster tests run before any of them starts: their time limits are for tests, not for a compiler.
import { kubernetesBinaries } from '../test/support/kubernetes-binaries.ts'

try {
  await kubernetesBinaries()
} catch (error) {
  // told now, and again by each test that needs them, which fails
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
