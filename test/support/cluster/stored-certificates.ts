import { once } from 'node:events'
import { connect } from 'node:tls'
import { until } from '../until.ts'
import type { Cluster } from './cluster.ts'

/** How long a rotation may take on a busy machine, in milliseconds. */
const ROTATED_MS = 300_000

interface StoredRegistration {
  readonly webhooks?: ReadonlyArray<{ readonly clientConfig: { readonly caBundle?: string } }>
}

export const TLS_SECRET = '/api/v1/namespaces/aim-system/secrets/aim-admission-tls'

/** The certificates that the replicas of a cluster share, and the trust in them. */
export function storedCertificates ({ client: { stored, patch } }: Pick<Cluster, 'client'>) {
  /** The caBundle of every webhook, in base64. */
  const bundles = async (): Promise<string[]> => {
    const read = ['mutating', 'validating'].map(
      async (type) =>
        await stored<StoredRegistration>(
          `/apis/admissionregistration.k8s.io/v1/${type}webhookconfigurations/aim-admission`
        )
    )
    return (await Promise.all(read)).flatMap((registered) => registered?.webhooks ?? [])
      .map(({ clientConfig: { caBundle = '' } }) => caBundle)
  }
  /** A key of the Secret, in base64; empty if it is missing. */
  const secret = async (key: string): Promise<string> =>
    (await stored<{ data?: Record<string, string> }>(TLS_SECRET))?.data?.[key] ?? ''
  const requestRotation = async (which: 'leaf' | 'ca'): Promise<void> => {
    await patch(TLS_SECRET, { metadata: { annotations: { 'aim.silogen.ai/rotate': which } } })
  }
  /** Whether every webhook trusts the CA of the Secret and no other. */
  const trusting = async (): Promise<boolean> => {
    const ca = await secret('ca.crt')
    return ca !== '' && (await bundles()).every((bundle) => bundle === ca)
  }
  return {
    bundles,
    secret,
    trusting,
    requestRotation,
    /** Requests a new leaf, or a new CA with a new leaf, and waits for the end of the rotation. */
    rotate: async (which: 'leaf' | 'ca'): Promise<void> => {
      const [leaf, ca] = [await secret('tls.crt'), await secret('ca.crt')]
      await requestRotation(which)
      const isAnother = async () =>
        which === 'leaf'
          ? (await secret('tls.crt')) !== leaf
          : (await secret('ca.crt')) !== ca && (await secret('tls.crt')) !== leaf
      const isOver = async () =>
        (await isAnother()) &&
        (await secret('old-ca.crt')) === '' &&
        (await secret('next-ca.crt')) === '' &&
        (await trusting())
      await until(isOver, undefined, ROTATED_MS)
    }
  }
}

/** The error of a new TLS handshake with a caBundle in base64, as the API server makes it; empty if it succeeds. */
export async function handshake (url: string, bundle: string): Promise<string> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    ca: Buffer.from(bundle, 'base64').toString()
  })
  try {
    await once(socket, 'secureConnect')
    return ''
  } catch (error) {
    return String(error)
  } finally {
    socket.destroy()
  }
}
