import path from 'node:path'
import { chromium as browsers, type Browser } from 'playwright-core'
import { build } from 'vite'
import { buildProbes } from '../../../src/server/probes.ts'
import { newRegistry } from '../../../src/telemetry/metrics.ts'
import { chromium, CHROMIUM_FLAGS } from '../binaries/chromium.ts'

/** Builds the playground into a folder, serves it, and opens a browser. */
export async function servePlayground (folder: string) {
  const configFile = path.resolve(import.meta.dirname, '../../../playground/vite.config.ts')
  await build({ configFile, build: { outDir: folder, emptyOutDir: true }, logLevel: 'warn' })
  const registry = newRegistry('0.0.0-test')
  const app = buildProbes({ notReadyReason: () => undefined, registry, playground: folder })
  const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/playground`
  const browser = await launchBrowser()
  return {
    url,
    browser,
    close: async (): Promise<void> => {
      await browser.close()
      await app.close()
    }
  }
}

export async function launchBrowser (): Promise<Browser> {
  return await browsers.launch({ executablePath: await chromium(), args: [...CHROMIUM_FLAGS] })
}
