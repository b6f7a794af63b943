import { once } from 'node:events'
import { connect } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'

interface StoredRegistration {
  readonly webhooks?: ReadonlyArray<{ readonly clientConfig: { readonly caBundle?: string } }>
}

/** The certificates that the replicas of a cluster share, and who trusts them. */
export function storedCertificates ({ kubectl, client: { stored } }: Pick<Cluster, 'kubectl' | 'client'>) {
  /** Of every webhook, in base64. */
  const bundles = async (): Promise<string[]> => {
    const read = ['mutating', 'validating'].map(
      async (type) =>
        await stored<StoredRegistration>(
          `/apis/admissionregistration.k8s.io/v1/${type}webhookconfigurations/aim-admission`
        )
    )
    return (await Promise.all(read))
      .flatMap((registered) => registered?.webhooks ?? [])
      .map(({ clientConfig: { caBundle = '' } }) => caBundle)
  }
  /** A key of the Secret, in base64; empty where there is none. */
  const secret = async (key: string): Promise<string> =>
    (await stored<{ data?: Record<string, string> }>('/api/v1/namespaces/aim-system/secrets/aim-admission-tls'))?.data?.[key] ?? ''
  /** Whether every webhook trusts the CA of the Secret and no other. */
  const trusting = async (): Promise<boolean> => {
    const ca = await secret('ca.crt')
    return ca !== '' && (await bundles()).every((bundle) => bundle === ca)
  }
  return {
    bundles,
    secret,
    trusting,
    /**
     * Asks for another serving certificate, or another CA and with it another serving certificate, and waits until all
     * of that is over.
     */
    rotate: async (which: 'leaf' | 'ca'): Promise<void> => {
      const [leaf, ca] = [await secret('tls.crt'), await secret('ca.crt')]
      await kubectl([
        '-n',
        'aim-system',
        'annotate',
        'secret',
        'aim-admission-tls',
        `aim.silogen.ai/rotate=${which}`,
        '--overwrite'
      ])
      const isAnother = async () =>
        which === 'leaf'
          ? (await secret('tls.crt')) !== leaf
          : (await secret('ca.crt')) !== ca && (await secret('tls.crt')) !== leaf
      const isOver = async () =>
        (await isAnother()) &&
        (await secret('old-ca.crt')) === '' &&
        (await secret('next-ca.crt')) === '' &&
        (await trusting())
      while (!await isOver()) await delay(100) // as long as it takes: the machine may be busy
    }
  }
}

/** A new handshake as the API server would make it, with a caBundle in base64; empty where it succeeds. */
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
