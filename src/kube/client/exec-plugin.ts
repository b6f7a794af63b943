import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Cluster, User } from '@kubernetes/client-node'
import { errorMessage, isMissingFile } from '../../platform/error-message.ts'
import {
  isJsonObject, own, ownObject, ownObjects, ownString, ownStrings, type JsonObject
} from '../../platform/json.ts'

const API_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']
const INTERACTIVE_MODES = ['Never', 'IfAvailable', 'Always']
const CLUSTER_EXTENSION = 'client.authentication.k8s.io/exec'

/**
 * Gets credentials from the exec plugin of a kubeconfig and keeps them until they expire. client-node's own support
 * sets no KUBERNETES_EXEC_INFO and hides the plugin's stderr. Source: client-go, plugin/pkg/client/auth/exec.
 */
export class ExecPlugin {
  readonly #exec: JsonObject
  readonly #cluster: Cluster
  readonly #clusterEntry: JsonObject
  #credential: JsonObject | undefined

  constructor (exec: JsonObject, cluster: Cluster, clusterEntry: JsonObject) {
    this.#exec = exec
    this.#cluster = cluster
    this.#clusterEntry = clusterEntry
  }

  static problems (exec: JsonObject): string[] {
    const [version, mode] = [ownString(exec, 'apiVersion'), interactiveMode(exec)]
    return [
      ...(ownString(exec, 'command') === '' ? ['exec.command is missing'] : []),
      ...(API_VERSIONS.includes(version) ? [] : [`exec.apiVersion must be ${API_VERSIONS.join(' or ')}`]),
      ...(INTERACTIVE_MODES.includes(mode) ? [] : [`exec.interactiveMode must be ${INTERACTIVE_MODES.join(' or ')}`]),
      ...(ownObjects(exec, 'env').some((entry) => ownString(entry, 'name') === '') ? ['exec.env has no name'] : [])
    ]
  }

  isAuthProvider (_user: User): boolean {
    return true
  }

  async applyAuthentication (_user: User, options: RequestOptions): Promise<void> {
    if (this.#credential === undefined || isExpired(this.#credential)) this.#credential = await this.#run()
    const [token, cert, key] = ['token', 'clientCertificateData', 'clientKeyData']
      .map((field) => ownString(this.#credential ?? {}, field))
    if (token !== '') options.headers = { ...options.headers as object, Authorization: `Bearer ${token}` }
    if (cert !== '') Object.assign(options, { cert, key })
  }

  /** Returns the status of the plugin's ExecCredential. */
  async #run (): Promise<JsonObject> {
    const exec = this.#exec
    const [command, mode, isTerminal] = [ownString(exec, 'command'), interactiveMode(exec), process.stdin.isTTY]
    if (mode === 'Always' && !isTerminal) {
      throw new Error(`exec plugin ${command} needs a terminal: standard input is not one`)
    }
    const interactive = mode !== 'Never' && isTerminal
    const env: NodeJS.ProcessEnv = { ...process.env }
    for (const variable of ownObjects(exec, 'env')) env[ownString(variable, 'name')] = ownString(variable, 'value')
    env['KUBERNETES_EXEC_INFO'] = this.#info(interactive)
    try {
      return statusOf(await outputOf(command, ownStrings(exec, 'args'), { env, interactive }), exec)
    } catch (error) {
      const hint = ownString(exec, 'installHint').trim()
      throw new Error(errorMessage(error) + (hint === '' ? '' : `; ${withoutEscapes(hint)}`), { cause: error })
    }
  }

  #info (interactive: boolean): string {
    const { server, caFile, caData, skipTLSVerify, tlsServerName, proxyUrl } = this.#cluster
    const extension = ownObjects(this.#clusterEntry, 'extensions').find(({ name }) => name === CLUSTER_EXTENSION)
    const cluster = {
      server,
      'tls-server-name': tlsServerName,
      'insecure-skip-tls-verify': skipTLSVerify || undefined,
      'certificate-authority-data': caFile === undefined ? caData : readFileSync(caFile).toString('base64'),
      'proxy-url': ownString(this.#clusterEntry, 'proxy-url') === '' ? undefined : proxyUrl,
      config: extension === undefined ? undefined : own(extension, 'extension')
    }
    return JSON.stringify({
      kind: 'ExecCredential',
      apiVersion: ownString(this.#exec, 'apiVersion'),
      spec: { ...(own(this.#exec, 'provideClusterInfo') === true && { cluster }), interactive }
    })
  }
}

/** Its stderr is that of this process, so that a login prompt reaches the user. */
async function outputOf (
  command: string, args: readonly string[], { env, interactive }: { env: NodeJS.ProcessEnv, interactive: boolean }
): Promise<string> {
  const plugin = spawn(command, args, { env, stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'] })
  const close = once(plugin, 'close').catch((error: unknown) => {
    const reason = isMissingFile(error) ? 'not found' : `failed: ${errorMessage(error)}`
    throw new Error(`exec plugin ${command} ${reason}`, { cause: error })
  })
  const [output, ended] = await Promise.all([text(plugin.stdout), close])
  const [code] = ended as [number | null] // node:child_process, event 'close'
  if (code !== 0) throw new Error(`exec plugin ${command} failed with exit code ${String(code)}`)
  return output
}

/** v1beta1 has a default. */
function interactiveMode (exec: JsonObject): string {
  const fallback = ownString(exec, 'apiVersion').endsWith('/v1beta1') ? 'IfAvailable' : ''
  return ownString(exec, 'interactiveMode') || fallback
}

function statusOf (output: string, exec: JsonObject): JsonObject {
  const command = ownString(exec, 'command')
  let credential: unknown
  try {
    credential = JSON.parse(output)
  } catch (error) {
    throw new Error(`exec plugin ${command} printed no JSON: ${errorMessage(error)}`, { cause: error })
  }
  if (!isJsonObject(credential)) throw new Error(`exec plugin ${command} printed no ExecCredential`)
  const version = ownString(credential, 'apiVersion')
  if (version !== ownString(exec, 'apiVersion')) {
    throw new Error(`exec plugin ${command} returned apiVersion ${JSON.stringify(version)}, ` +
      `not ${ownString(exec, 'apiVersion')} as configured`)
  }
  const status = ownObject(credential, 'status')
  const [token, cert, key] = ['token', 'clientCertificateData', 'clientKeyData']
    .map((field) => ownString(status, field) !== '')
  if (cert !== key) throw new Error(`exec plugin ${command} returned only a certificate or a key, not both`)
  if (token !== true && cert !== true) throw new Error(`exec plugin ${command} returned no token and no certificate`)
  return status
}

function isExpired (status: JsonObject): boolean {
  const expiry = Date.parse(ownString(status, 'expirationTimestamp'))
  return expiry <= Date.now() // false for NaN
}

/** A hint must not control the terminal. */
function withoutEscapes (hint: string): string {
  return hint.replaceAll(/[^\P{C}\s]/gu, '')
}
