import path from 'node:path'
import { goBinary } from './go-binary.ts'

/** The linter of GitHub workflows. */
export async function actionlint (): Promise<string> {
  return await built('actionlint', 'github.com/rhysd/actionlint/cmd/actionlint')
}

/** The manager of kubectl plugins. */
export async function krew (): Promise<string> {
  return await built('krew', 'sigs.k8s.io/krew/cmd/krew')
}

async function built (name: string, source: string): Promise<string> {
  return await goBinary({
    name, source, module: path.resolve(import.meta.dirname, '../../../tools/go/release'), sources: []
  })
}
