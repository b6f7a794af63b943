import t from 'tap'
import type { Log, TransitionEvent } from '../../../src/core/ports.ts'
import type { ApiRequest } from '../../../src/kube/client/api-connection.ts'
import { EventRecorder } from '../../../src/kube/event-recorder.ts'
import { apiResponse } from '../../support/fakes/api-response.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

interface Sent { readonly method: string, readonly path: string, readonly body: JsonObject }

/** A recorder whose requests are recorded, and get responses of the `first` statuses, then of one status. */
function aRecorder (
  { statusCode = 201, first = [], log = silentLog }: { statusCode?: number, first?: number[], log?: Log } = {}
) {
  const clock = new ManualClock()
  const sent: Sent[] = []
  const recorder = new EventRecorder({
    request: async (path: string, { method = 'GET', body: content = '{}' }: ApiRequest = {}) => {
      sent.push({ method, path, body: JSON.parse(content) as JsonObject }) // what the recorder wrote
      return await Promise.resolve(
        apiResponse(first.shift() ?? statusCode, { message: 'no', metadata: { name: 'a', resourceVersion: '1' } })
      )
    },
    instance: 'replica-1',
    clock,
    wallTime: () => new Date('2026-01-01T00:00:00.123Z'),
    fencing: () => true,
    log
  })
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms)
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => { setImmediate(resolve) })
  }
  /** Records an event and waits until it is sent. */
  const send = async (event: TransitionEvent): Promise<void> => {
    recorder.record(event)
    await pass(0)
    await pass(50)
  }
  return { recorder, sent, send, pass }
}

const anEvent = (parts: Partial<TransitionEvent> = {}): TransitionEvent => ({
  regarding: {
    kind: 'AIMService', namespace: 'ml-team', name: 'llama-chat', uid: 'u1'
  },
  type: 'Warning',
  reason: 'PathTooLong',
  action: 'Reconcile',
  note: 'why',
  ...parts
})

t.test('writes an event in the form of events.k8s.io/v1', async (t) => {
  const { sent, send } = aRecorder()
  await send(anEvent())
  t.match(sent, [{
    method: 'POST',
    path: '/apis/events.k8s.io/v1/namespaces/ml-team/events',
    body: {
      kind: 'Event',
      metadata: { namespace: 'ml-team', name: /^llama-chat\.[0-9a-f]{16}$/ },
      eventTime: '2026-01-01T00:00:00.123000Z',
      reportingController: 'aim.silogen.ai/aim-admission',
      reportingInstance: 'replica-1',
      regarding: {
        apiVersion: 'aim.silogen.ai/v1alpha1',
        kind: 'AIMService',
        namespace: 'ml-team',
        name: 'llama-chat',
        uid: 'u1'
      },
      type: 'Warning',
      reason: 'PathTooLong',
      action: 'Reconcile',
      note: 'why'
    }
  }])
})

t.test('writes repeats as one series: at once, then once a minute, and a new event after six minutes', async (t) => {
  const { sent, send, pass } = aRecorder()
  for (let time = 1; time <= 4; time++) await send(anEvent())
  t.match(sent.slice(1), [
    {
      method: 'PATCH',
      path: new RegExp(`/events/${(sent[0]?.body['metadata'] as { name: string }).name}$`),
      body: { series: { count: 2 } }
    }
  ])
  t.equal(sent.length, 2)
  await pass(60_000)
  await send(anEvent())
  t.match(sent.slice(2), [{ method: 'PATCH', body: { series: { count: 5 } } }])
  await pass(6 * 60_000)
  await send(anEvent())
  t.match(sent.slice(3), [{ method: 'POST' }])
})

t.test('sends rollout events after all others, and at a lower rate', async (t) => {
  const { recorder, sent, pass } = aRecorder()
  const rolled = (uid: string): TransitionEvent =>
    anEvent({ type: 'Normal', reason: 'RolledForward', regarding: { ...anEvent().regarding, uid } })
  recorder.record(rolled('u1'))
  recorder.record(rolled('u2'))
  recorder.record(anEvent())
  await pass(0)
  const reasons = (): unknown[] => sent.map(({ body }) => body['reason'])
  await pass(50)
  t.strictSame(reasons(), ['RolledForward'], 'the second waits')
  await pass(50)
  t.strictSame(reasons(), ['RolledForward', 'PathTooLong'])
  await pass(20)
  t.strictSame(reasons(), ['RolledForward', 'PathTooLong', 'RolledForward'])
})

t.test('writes a new event for another reason, note or object', async (t) => {
  const { sent, send } = aRecorder()
  const parts: Array<Partial<TransitionEvent>> = [
    {},
    { reason: 'PathConflict' },
    { note: 'other' },
    { regarding: { ...anEvent().regarding, uid: 'u2' } }
  ]
  for (const part of parts) await send(anEvent(part))
  t.strictSame(sent.map(({ method }) => method), Array(4).fill('POST'))
})

t.test('truncates names and notes to the limits of the API server', async (t) => {
  const { sent, send } = aRecorder()
  const name = `${'a'.repeat(235)}.${'b'.repeat(17)}`
  await send(anEvent({ regarding: { ...anEvent().regarding, name }, note: 'é'.repeat(600) }))
  const { metadata, note } = sent[0]?.body as { metadata: { name: string }, note: string } // as sent above
  t.match(metadata.name, /^a{235}\.[0-9a-f]{16}$/)
  t.ok(Buffer.byteLength(note) <= 1_024 && /^é+…$/.test(note), `${Buffer.byteLength(note)} bytes`)
})

t.test('writes events of cluster-scoped objects to namespace default', async (t) => {
  const { sent, send } = aRecorder()
  await send(anEvent({ regarding: { kind: 'AIMClusterRuntimeConfig', namespace: '', name: 'a', uid: 'u' } }))
  t.match(sent, [
    { path: '/apis/events.k8s.io/v1/namespaces/default/events', body: { metadata: { namespace: 'default' } } }
  ])
})

t.test('sends an event again, under the same name, while the API server is unavailable', async (t) => {
  const { recorder, sent, pass } = aRecorder({ first: [429, 503, 409] })
  recorder.record(anEvent())
  for (const tries of [1, 2, 3, 3]) {
    await pass(10_000)
    t.equal(sent.length, tries)
  }
  t.strictSame(sent[1]?.body, sent[0]?.body)
  t.strictSame(sent[2]?.body, sent[0]?.body)
  recorder.record(anEvent())
  await pass(0)
  t.equal(sent[3]?.method, 'PATCH', 'a conflict says that an earlier try was stored')
})

t.test('events that fail in one namespace do not delay those of another', async (t) => {
  const { recorder, sent, pass } = aRecorder({ first: [503, 201, 503, 201, 503] })
  const inNamespace = (namespace: string, note: string): TransitionEvent =>
    anEvent({ note, regarding: { kind: 'AIMService', namespace, name: 'a', uid: namespace } })
  recorder.record(inNamespace('evil', 'fails'))
  recorder.record(inNamespace('victim', 'first'))
  recorder.record(inNamespace('victim', 'second'))
  for (let turn = 0; turn < 4; turn++) await pass(50)
  t.strictSame(sent.slice(0, 4).map(({ body }) => body['note']), ['fails', 'first', 'fails', 'second'])
})

t.test('drops an event after twelve tries', async (t) => {
  const { recorder, sent, pass } = aRecorder({ statusCode: 503 })
  recorder.record(anEvent())
  for (let round = 0; round < 20; round++) await pass(10_000)
  t.equal(sent.length, 12)
})

t.test('a stop does not wait for the next try', async (t) => {
  const { recorder, sent, pass } = aRecorder({ statusCode: 503 })
  recorder.record(anEvent())
  await pass(0)
  await recorder.stop()
  t.equal(sent.length, 1)
})

t.test('drops failed events and logs the first failure', async (t) => {
  const lines: string[] = []
  const { sent, send } = aRecorder({
    statusCode: 403,
    log: {
      ...silentLog,
      warn: (_, sentence) => { lines.push(sentence) }
    }
  })
  await send(anEvent())
  await send(anEvent({ note: 'other' }))
  t.strictSame([sent.length, lines], [2, ['failed to write event']])
  await send(anEvent())
  t.match(sent[2], { method: 'POST' }, 'a failed event starts no series')
})

t.test('sends nothing after stop', async (t) => {
  const { recorder, sent, send } = aRecorder()
  await recorder.stop()
  await send(anEvent())
  t.strictSame(sent, [])
})

t.test('events of one namespace neither delay nor displace those of another', async (t) => {
  const { recorder, sent, pass } = aRecorder()
  const regarding = (namespace: string, name: string) =>
    ({ kind: 'AIMService', namespace, name, uid: `${namespace}-${name}` }) as const
  recorder.record(anEvent({ regarding: regarding('victim', 'first') }))
  for (let at = 0; at < 1_500; at++) recorder.record(anEvent({ regarding: regarding('evil', `flood-${at}`) }))
  recorder.record(anEvent({ regarding: regarding('victim', 'second') }))
  for (let turn = 0; turn < 6; turn++) await pass(50)
  const names = sent.map(({ body }) => (body['regarding'] as JsonObject)['name']) // what the recorder wrote
  t.strictSame(names.slice(0, 4).filter((name) => !String(name).startsWith('flood')), ['first', 'second'])
})

t.test('a namespace with many events does not have those of another written twice', async (t) => {
  const { sent, send, recorder, pass } = aRecorder()
  const ofVictim = anEvent({ regarding: { ...anEvent().regarding, namespace: 'victim' } })
  await send(ofVictim)
  for (let at = 0; at < 4_200; at++) {
    recorder.record(anEvent({ note: `of evil ${at}` }))
    if (at % 500 === 499) for (let round = 0; round < 500; round++) await pass(20)
  }
  for (let round = 0; round < 300; round++) await pass(20)
  t.equal(sent.length, 4_201)
  await send(ofVictim)
  t.match(sent.at(-1), { method: 'PATCH', path: /victim/, body: { series: { count: 2 } } })
  await send(anEvent({ note: 'of evil 0' }))
  t.equal(sent.at(-1)?.method, 'POST', 'the memory is bounded: the oldest event of the flood is forgotten')
})
