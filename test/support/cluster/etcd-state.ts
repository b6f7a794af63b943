import { request } from 'undici'

/** Keys that the API server writes by itself, again and again or in answer to CRDs. */
const SELF_MANAGED = [
  '/registry/masterleases/', '/registry/leases/kube-system/', '/registry/apiregistration.k8s.io/apiservices/'
]

/** Bytes in base64, as the JSON gateway of etcd has them; revisions are decimal text. */
interface KeyValue { readonly key: string, readonly value?: string, readonly mod_revision: string }

/** Remembers the whole content of an etcd. Yields a function that restores it. */
export async function rememberState (etcdUrl: string): Promise<() => Promise<void>> {
  const call = async <T>(method: string, body: object): Promise<T> => {
    const { statusCode, body: response } = await request(`${etcdUrl}/v3/kv/${method}`, {
      method: 'POST', body: JSON.stringify(body)
    })
    if (statusCode !== 200) throw new Error(`etcd: ${await response.text()}`)
    return await response.json() as T // Source: etcd API v3, KV
  }
  const read = async (keysOnly: boolean): Promise<KeyValue[]> => {
    const { kvs = [] } = await call<{ kvs?: KeyValue[] }>('range', {
      key: base64('/registry/'), range_end: base64('/registry0'), keys_only: keysOnly
    })
    return kvs.filter(({ key }) => !isSelfManaged(key))
  }
  const remembered = new Map((await read(false)).map((found) => [found.key, found]))
  return async () => {
    const present = new Map((await read(true)).map((found) => [found.key, found]))
    const removed = [...present.keys()].filter((key) => !remembered.has(key))
    const restored = [...remembered.values()].filter(
      ({ key, mod_revision: revision }) => present.get(key)?.mod_revision !== revision
    )
    const operations = [
      ...removed.map((key) => ({ request_delete_range: { key } })),
      ...restored.map(({ key, value }) => ({ request_put: { key, value } }))
    ]
    for (let from = 0; from < operations.length; from += MAX_OPERATIONS) {
      await call('txn', { success: operations.slice(from, from + MAX_OPERATIONS) })
    }
    if (restored.length === 0) return
    const revisions = new Map((await read(true)).map(({ key, mod_revision: revision }) => [key, revision]))
    for (const found of restored) {
      remembered.set(found.key, { ...found, mod_revision: revisions.get(found.key) ?? '' })
    }
  }
}

/** Of one transaction. Source: etcd, --max-txn-ops. */
const MAX_OPERATIONS = 128

function base64 (text: string): string {
  return Buffer.from(text).toString('base64')
}

function isSelfManaged (key: string): boolean {
  const text = Buffer.from(key, 'base64').toString()
  return SELF_MANAGED.some((prefix) => text.startsWith(prefix))
}
