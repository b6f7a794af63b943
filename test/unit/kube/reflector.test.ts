import t, { type Test } from 'tap'
import type { ObjectKey, ObjectSink } from '../../../src/core/ports.ts'
import { connectToCluster } from '../../../src/kube/client/api-connection.ts'
import { Reflector } from '../../../src/kube/watch/reflector.ts'
import type { RestartReason } from '../../../src/kube/watch/list-watch-error.ts'
import {
  FakeApiServer, eventLine, silence, status, statusObject, text, type Responder, type FakeObject, type RequestKind
} from '../../support/fakes/fake-api-server.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const PATH = '/apis/aim.silogen.ai/v1alpha1/aimservices'

/** Records its objects and its calls. */
class RecordingSink implements ObjectSink {
  readonly objects = new Map<string, FakeObject>()
  readonly calls: string[] = []
  /** Names of objects on which it throws. */
  readonly refused = new Set<string>()
  onCall: () => void = () => {}

  upsert (object: JsonObject): void {
    const { metadata } = object as FakeObject // the only objects that the fake server sends
    this.calls.push(`upsert ${metadata.name}@${metadata.resourceVersion}`)
    this.onCall()
    if (this.refused.has(metadata.name)) throw new TypeError('rejected')
    this.objects.set(metadata.name, object as FakeObject)
  }

  remove ({ namespace, name }: ObjectKey): void {
    this.calls.push(`remove ${namespace}/${name}`)
    if (this.refused.has(name)) throw new TypeError('rejected')
    this.objects.delete(name)
  }
}

interface Setup {
  readonly api: FakeApiServer
  readonly sink: RecordingSink
  readonly clock: ManualClock
  readonly reflector: Reflector
  readonly restarts: RestartReason[]
  /** The waits before retries, in ms. */
  readonly waits: number[]
  readonly failed: string[]
  readonly logged: string[]
  /** Waits until the condition holds, and skips the waits of a reflector that backs off. */
  readonly until: (condition: () => boolean) => Promise<void>
  /** Ends the watch after its requested time. */
  readonly endWatch: () => void
  /** Waits until the sink equals the server. */
  readonly untilEqual: () => Promise<void>
}

/** A reflector, not started, of a server with the services `a` and `b`. */
async function setUp (t: Test): Promise<Setup> {
  const api = new FakeApiServer()
  await api.start()
  api.serve(PATH)
  api.put(PATH, 'a')
  api.put(PATH, 'b')
  const logged: string[] = []
  const line = (_keys: object, message: string) => { logged.push(message) }
  const log = { info: line, warn: line, error: line }
  const connection = await connectToCluster({
    kubeconfig: `${t.testdir({ kubeconfig: api.kubeconfig })}/kubeconfig`,
    log
  })
  const [sink, clock, restarts, waits, failed] = [
    new RecordingSink(),
    new ManualClock(),
    [] as RestartReason[],
    [] as number[],
    [] as string[]
  ]
  const observer = {
    onSynced: () => { logged.push('synced') },
    onRestart: (reason: RestartReason) => { restarts.push(reason) },
    onFailedObject: ({ name }: ObjectKey) => { failed.push(name) }
  }
  const reflector = new Reflector({
    path: PATH,
    request: connection.request,
    sink,
    observer,
    log,
    clock,
    random: () => 1
  })
  t.teardown(async () => {
    await reflector.stop()
    await connection.close()
    await api.stop()
  })
  const untilIt = async (condition: () => boolean) => until(condition, () => {
    if (reflector.state !== 'backing-off' || clock.pending !== 1) return
    waits.push(clock.untilNext)
    clock.pass(clock.untilNext)
  })
  const untilEqual = async () => {
    await untilIt(
      () =>
        reflector.state === 'watching' &&
        api.openWatches === 1 &&
        state(sink.objects.values()) === state(api.objects(PATH))
    )
  }
  const endWatch = () => {
    clock.pass(30_000)
    api.endWatches()
  }
  return { api, sink, clock, reflector, restarts, waits, failed, logged, endWatch, until: untilIt, untilEqual }
}

function state (objects: Iterable<FakeObject>): string {
  return JSON.stringify([...objects].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).sort())
}

function asked (api: FakeApiServer, kind: RequestKind): URLSearchParams[] {
  return api.requests.filter((asked) => asked.kind === kind).map(({ query }) => query)
}

/** During a gap of the watch, `a` changes, `b` is deleted and `c` is created. */
function changeAll (api: FakeApiServer): void {
  api.put(PATH, 'a', { changed: true })
  api.remove(PATH, 'b')
  api.put(PATH, 'c')
}

const A_SERVICE = { metadata: { namespace: 'ml-team', name: 'a', resourceVersion: '101' } }
const HALF_EVENT = eventLine('MODIFIED', {
  metadata: { name: 'a', namespace: 'ml-team', resourceVersion: '101' }
}).slice(0, 40)

interface WatchCase {
  readonly misbehave: (setup: Setup) => void | Promise<void>
  readonly restarts: RestartReason[]
  /** The number of lists. */
  readonly lists: number
}

const watchCases: Record<string, WatchCase> = {
  'ends in time': { misbehave: ({ endWatch }) => { endWatch() }, restarts: [], lists: 1 },
  'gets a 410': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(410))
      endWatch()
    },
    restarts: ['expired'],
    lists: 2
  },
  'gets an ERROR event 410': {
    misbehave: ({ api }) => { api.write(eventLine('ERROR', statusObject(410, 'too old'))) },
    restarts: ['expired'],
    lists: 2
  },
  'gets an ERROR event 500': {
    misbehave: ({ api }) => { api.write(eventLine('ERROR', statusObject(500, 'etcd'))) },
    restarts: ['refused'],
    lists: 1
  },
  'gets an ERROR event without a code': {
    misbehave: ({ api }) => { api.write(eventLine('ERROR', {})) },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 401': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(401))
      endWatch()
    },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 403': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(403))
      endWatch()
    },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 429': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(429))
      endWatch()
    },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 500': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(500))
      endWatch()
    },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 503': {
    misbehave: ({ api, endWatch }) => {
      api.next('watch', status(503))
      endWatch()
    },
    restarts: ['refused'],
    lists: 1
  },
  'gets a 404, because its kind is missing for a moment': {
    misbehave: ({ api, endWatch }) => { api.next('watch', status(404)); endWatch() }, restarts: ['missing'], lists: 2
  },
  'ends at once and without an event': {
    misbehave: ({ api, endWatch }) => { api.next('watch', text('')); endWatch() }, restarts: ['refused'], lists: 1
  },
  'is reset': { misbehave: ({ api }) => { api.reset() }, restarts: ['unreachable'], lists: 1 },
  'is reset in the middle of an event': {
    misbehave: ({ api, endWatch }) => { api.next('watch', text(HALF_EVENT, 'reset')); endWatch() },
    restarts: ['unreachable'],
    lists: 1
  },
  'ends in the middle of an event': {
    misbehave: ({ api, endWatch }) => {
      api.write(HALF_EVENT)
      endWatch()
    },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers a line that is not JSON': {
    misbehave: ({ api }) => { api.write('{"type":\n') },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers a line that is JSON but not an event': {
    misbehave: ({ api }) => { api.write('[]\n') },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers an event of an unknown type': {
    misbehave: ({ api }) => { api.write(eventLine('RENAMED', { metadata: { name: 'a', resourceVersion: '1000' } })) },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers an object without a version': {
    misbehave: ({ api }) => { api.write(eventLine('MODIFIED', { metadata: { name: 'a' } })) },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers a bookmark without a version': {
    misbehave: ({ api }) => { api.write(eventLine('BOOKMARK', {})) },
    restarts: ['unreadable'],
    lists: 1
  },
  'delivers the same unreadable line repeatedly': {
    misbehave: ({ api, endWatch }) => {
      for (let time = 0; time < 3; time++) api.next('watch', text('?\n'))
      endWatch()
    },
    restarts: ['unreadable', 'unreadable', 'unreadable'],
    lists: 2
  },
  'is refused repeatedly': {
    misbehave: ({ api, endWatch }) => {
      for (let time = 0; time < 5; time++) api.next('watch', status(500))
      endWatch()
    },
    restarts: ['refused', 'refused', 'refused', 'refused', 'refused'],
    lists: 2
  },
  'stays open and goes silent': {
    misbehave: ({ api, clock }) => { api.muteWatches(); clock.pass(45_000) }, restarts: ['mute'], lists: 1
  },
  'gets no response': {
    misbehave: async ({ api, clock, endWatch, until }) => {
      api.next('watch', silence)
      endWatch()
      await until(() => asked(api, 'watch').length === 2)
      clock.pass(45_000)
    },
    restarts: ['mute'],
    lists: 1
  },
  'is lost because the server is down for a while': {
    misbehave: async ({ api, restarts, until }) => {
      await api.stop()
      await until(() => restarts.length === 8)
      await api.start()
      restarts.length = 1
    },
    restarts: ['unreachable'],
    lists: 1
  },
  'starts from a version that the server has compacted': {
    misbehave: ({ api }) => {
      api.put(PATH, 'd')
      api.remove(PATH, 'd')
      api.muteWatches()
      api.forgetChanges(PATH)
      api.reset()
    },
    restarts: ['unreachable', 'expired'],
    lists: 2
  }
}

t.test('recovers from a watch that', async (t) => {
  for (const [name, { misbehave, restarts, lists }] of Object.entries(watchCases)) {
    t.test(name, async (t) => {
      const setup = await setUp(t)
      const { api, sink, reflector } = setup
      reflector.start()
      await setup.untilEqual()
      await misbehave(setup)
      changeAll(api)
      await setup.untilEqual()
      const settled = sink.calls.filter((call) => !call.includes(' d@') && !call.endsWith('/d'))
      t.strictSame(settled.length, new Set(settled).size, 'delivers nothing twice')
      t.strictSame(sink.calls.filter((call) => call === 'remove ml-team/b').length, 1, 'delivers a deletion')
      t.strictSame(setup.restarts, restarts)
      t.strictSame(asked(api, 'list').length, lists)
    })
  }
})

interface ListCase {
  readonly misbehave: (setup: Setup) => void | Promise<void>
  readonly restarts: RestartReason[]
}

const listCases: Record<string, ListCase> = {
  'gets a 401': { misbehave: ({ api }) => { api.next('list', status(401)) }, restarts: ['refused'] },
  'gets a 403': { misbehave: ({ api }) => { api.next('list', status(403)) }, restarts: ['refused'] },
  'gets a 404, because the CRD is missing': {
    misbehave: ({ api }) => { api.next('list', status(404)) },
    restarts: ['missing']
  },
  'gets a 429': { misbehave: ({ api }) => { api.next('list', status(429)) }, restarts: ['refused'] },
  'gets a 500': { misbehave: ({ api }) => { api.next('list', status(500)) }, restarts: ['refused'] },
  'gets a 503 from something other than an API server': {
    misbehave: ({ api }) => { api.next('list', (response) => { response.writeHead(503).end('<html>') }) },
    restarts: ['refused']
  },
  'is not JSON': { misbehave: ({ api }) => { api.next('list', text('{"items": [')) }, restarts: ['unreadable'] },
  'has no version': { misbehave: ({ api }) => { api.next('list', text('{"items": []}')) }, restarts: ['unreadable'] },
  'has an item without a name': {
    misbehave: ({ api }) => {
      api.next(
        'list',
        text('{"metadata": {"resourceVersion": "101"}, "items": [{"metadata": {"resourceVersion": "101"}}]}')
      )
    },
    restarts: ['unreadable']
  },
  'is reset halfway': {
    misbehave: ({ api }) => { api.next('list', text('{"items": [', 'reset')) },
    restarts: ['unreachable']
  },
  'never ends': {
    misbehave: async ({ api, clock, until }) => {
      api.next('list', text('{"items": [', 'silence'))
      await until(() => asked(api, 'list').length === 1)
      clock.pass(60_000)
    },
    restarts: ['mute']
  },
  'fails because the server is down': {
    misbehave: async ({ api, restarts, until }) => {
      await api.stop()
      await until(() => restarts.length === 3)
      await api.start()
    },
    restarts: ['unreachable', 'unreachable', 'unreachable']
  }
}

t.test('recovers from a first list that', async (t) => {
  for (const [name, { misbehave, restarts }] of Object.entries(listCases)) {
    t.test(name, async (t) => {
      const setup = await setUp(t)
      const { reflector, sink } = setup
      const misbehaving = misbehave(setup)
      reflector.start()
      t.notOk(reflector.synced)
      await misbehaving
      await setup.untilEqual()
      t.ok(reflector.synced)
      t.strictSame(setup.restarts.slice(0, restarts.length), restarts)
      t.strictSame(sink.calls.sort(), ['upsert a@101', 'upsert b@102'])
    })
  }
})

t.test('a stream of the initial objects', async (t) => {
  const streaming = async (t: Test): Promise<Setup> => {
    const setup = await setUp(t)
    setup.api.streams = true
    return setup
  }

  t.test('is followed by a watch from its end', async (t) => {
    const { api, sink, reflector, logged, restarts, untilEqual } = await streaming(t)
    reflector.start()
    await untilEqual()
    t.strictSame(api.requests.map(
      ({ kind, query }) => [kind, query.get('resourceVersionMatch'), query.get('resourceVersion')]
    ), [
      ['stream', 'NotOlderThan', null], ['watch', null, '102']
    ])
    api.put(PATH, 'c')
    await untilEqual()
    t.strictSame(sink.calls, ['upsert a@101', 'upsert b@102', 'upsert c@103'])
    t.strictSame([reflector.synced, restarts, logged.includes('synced')], [true, [], true])
  })

  t.test('is complete only after its final bookmark', async (t) => {
    const { api, reflector, until } = await streaming(t)
    api.next(
      'stream',
      text(eventLine('ADDED', A_SERVICE) + eventLine('BOOKMARK', { metadata: { resourceVersion: '150' } }), 'silence')
    )
    reflector.start()
    await until(() => reflector.size === 1)
    t.strictSame([reflector.synced, reflector.state], [false, 'listing'])
  })

  t.test('removes objects deleted during a gap', async (t) => {
    const { api, sink, reflector, restarts, endWatch, untilEqual } = await streaming(t)
    reflector.start()
    await untilEqual()
    api.next('watch', text(eventLine('ERROR', statusObject(410, 'too old'))))
    changeAll(api)
    sink.calls.splice(0)
    api.reset()
    endWatch()
    await untilEqual()
    t.ok(restarts.includes('expired') || restarts.includes('unreachable'))
    t.strictSame([...sink.objects.keys()].sort(), ['a', 'c'])
    t.notOk(sink.calls.includes('upsert b@102'))
  })

  t.test('is replaced by pages for good if the server does not offer it', async (t) => {
    const { api, reflector, restarts, untilEqual } = await setUp(t)
    reflector.start()
    await untilEqual()
    t.strictSame([api.requests.map(({ kind }) => kind), restarts], [['list', 'watch'], []])
    api.streams = true
    api.forgetChanges(PATH)
    api.reset()
    await untilEqual()
    t.strictSame(asked(api, 'stream'), [])
  })

  const broken: Record<string, { answer: Responder, reason: RestartReason }> = {
    'a reset': { answer: text(eventLine('ADDED', A_SERVICE), 'reset'), reason: 'unreachable' },
    'an early end': { answer: text(eventLine('ADDED', A_SERVICE)), reason: 'refused' },
    'an unreadable line': { answer: text('{}\n'), reason: 'unreadable' },
    'an error': { answer: text(eventLine('ERROR', statusObject(500, 'no'))), reason: 'refused' },
    'too many requests': { answer: status(429), reason: 'refused' }
  }
  for (const [name, { answer, reason }] of Object.entries(broken)) {
    t.test(`is requested again after ${name}`, async (t) => {
      const { api, sink, reflector, restarts, untilEqual } = await streaming(t)
      api.next('stream', answer)
      reflector.start()
      await untilEqual()
      t.strictSame([restarts, asked(api, 'stream').length, [...sink.objects.keys()].sort()], [[reason], 2, ['a', 'b']])
    })
  }

  t.test('may take long, but not be silent for 30 s', async (t) => {
    const { api, clock, reflector, restarts, until, untilEqual } = await streaming(t)
    const written = Promise.withResolvers<(line: string) => void>()
    api.next('stream', (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      written.resolve((line) => { response.write(line) })
    })
    reflector.start()
    const write = await written.promise
    for (let at = 1; at <= 5; at++) {
      write(eventLine('ADDED', { metadata: { namespace: 'ml-team', name: `s-${at}`, resourceVersion: String(at) } }))
      await until(() => reflector.size === at)
      clock.pass(20_000)
    }
    t.strictSame(restarts, [])
    clock.pass(10_000)
    await untilEqual()
    t.strictSame(restarts, ['mute'])
  })
})

t.test('a long list', async (t) => {
  const many = async (t: Test, count: number) => {
    const setup = await setUp(t)
    for (let at = 2; at < count; at++) setup.api.put(PATH, `service-${at}`)
    return setup
  }

  t.test('is read in pages of 500', async (t) => {
    const { api, reflector, untilEqual } = await many(t, 1_200)
    reflector.start()
    await untilEqual()
    t.strictSame(
      api.requests.map(({ kind, query }) => [kind, query.get('limit')]),
      [
        ['list', '500'],
        ['page', '500'],
        ['page', '500'],
        ['watch', null]
      ]
    )
    t.strictSame(reflector.size, 1_200)
  })

  t.test('restarts if a page has expired, and delivers nothing twice', async (t) => {
    const { api, sink, reflector, restarts, untilEqual } = await many(t, 1_200)
    api.next('page', status(410))
    reflector.start()
    await untilEqual()
    t.strictSame(api.requests.map(({ kind }) => kind), ['list', 'page', 'list', 'page', 'page', 'watch'])
    t.strictSame(restarts, ['expired'])
    t.strictSame(sink.calls.length, 1_200)
  })

  t.test('is complete only after its last page', async (t) => {
    const { api, reflector, until } = await many(t, 1_200)
    api.next('page', silence)
    reflector.start()
    await until(() => reflector.size === 500)
    t.notOk(reflector.synced)
    t.strictSame(reflector.state, 'listing')
  })

  t.test('of 200,000 objects in one page is read', async (t) => {
    const { api, sink, reflector, until } = await setUp(t)
    const items = Array.from({ length: 200_000 }, (_, at) => ({
      metadata: { namespace: 'ml-team', name: `service-${at}`, resourceVersion: '90' }
    }))
    api.next('list', text(JSON.stringify({ metadata: { resourceVersion: '102' }, items })))
    reflector.start()
    await until(() => api.openWatches === 1)
    t.strictSame(sink.objects.size, 200_000)
    sink.calls.length = 0
    api.write(eventLine('ERROR', statusObject(410, 'too old')))
    await until(() => reflector.size === 2)
    t.strictSame(sink.calls.length, 200_002, 'the next list removes deleted objects')
  })
})

t.test('repeated and late events:', async (t) => {
  t.test('an older state does not replace a newer one, and does not revive a deleted object', async (t) => {
    const { api, sink, reflector, restarts, untilEqual } = await setUp(t)
    reflector.start()
    await untilEqual()
    changeAll(api)
    await untilEqual()
    const calls = [...sink.calls]
    const replay = ['101', '102'].map((resourceVersion, at) =>
      eventLine('ADDED', { metadata: { namespace: 'ml-team', name: 'ab'[at], resourceVersion } })
    )
    api.write(replay.join(''))
    api.write(eventLine('DELETED', { metadata: { namespace: 'ml-team', name: 'c', resourceVersion: '99' } }))
    api.write(eventLine('BOOKMARK', { metadata: { resourceVersion: '9' } }))
    api.put(PATH, 'last')
    await untilEqual()
    t.strictSame(sink.calls, [...calls, 'upsert last@106'])
    t.strictSame(restarts, [])
  })

  t.test('a list after a gap delivers only the differences', async (t) => {
    const { api, sink, reflector, untilEqual } = await setUp(t)
    reflector.start()
    await untilEqual()
    sink.calls.length = 0
    api.put(PATH, 'a')
    await untilEqual()
    api.write(eventLine('ERROR', statusObject(410, 'too old')))
    api.muteWatches()
    api.put(PATH, 'c')
    await untilEqual()
    t.strictSame(sink.calls, ['upsert a@103', 'upsert c@104'])
  })

  t.test('versions that are not numbers are delivered as they arrive', async (t) => {
    const { api, sink, reflector, until } = await setUp(t)
    reflector.start()
    await until(() => api.openWatches === 1)
    for (const version of ['x-2', 'x-1']) {
      api.write(eventLine('MODIFIED', { metadata: { namespace: 'ml-team', name: 'a', resourceVersion: version } }))
    }
    await until(() => sink.calls.length === 4)
    t.strictSame(sink.calls.slice(2), ['upsert a@x-2', 'upsert a@x-1'])
  })
})

t.test('a watch requests bookmarks, and the next one starts from the last bookmark', async (t) => {
  const { api, reflector, endWatch, until, untilEqual } = await setUp(t)
  reflector.start()
  await untilEqual()
  api.bookmark()
  api.put(PATH, 'a')
  api.bookmark()
  await untilEqual()
  endWatch()
  await until(() => asked(api, 'watch').length === 2)
  t.strictSame(asked(api, 'watch').map((query) => Object.fromEntries(query)), ['102', '105'].map((resourceVersion) => (
    { watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: '30' })))
})

t.test('an object on which the sink throws', async (t) => {
  t.test('is counted and does not block the others, in a list and in a watch', async (t) => {
    const { api, sink, reflector, failed, restarts, logged, until, untilEqual } = await setUp(t)
    sink.refused.add('a')
    reflector.start()
    await until(() => api.openWatches === 1)
    api.put(PATH, 'a')
    api.put(PATH, 'c')
    await until(() => sink.objects.has('c'))
    t.strictSame([...sink.objects.keys()], ['b', 'c'])
    t.strictSame(failed, ['a', 'a'])
    t.strictSame(logged.filter((message) => message === 'failed to index object').length, 2)
    t.strictSame(restarts, [])
    sink.refused.clear()
    api.write(eventLine('ERROR', statusObject(410, 'too old')))
    api.muteWatches()
    await untilEqual()
    t.ok(sink.objects.has('a'), 'the next list delivers it again')
  })

  t.test('during removal is counted, and removed by the next list', async (t) => {
    const { api, sink, reflector, failed, until, untilEqual } = await setUp(t)
    reflector.start()
    await untilEqual()
    sink.refused.add('b')
    api.remove(PATH, 'b')
    await until(() => failed.length === 1)
    sink.refused.clear()
    api.write(eventLine('ERROR', statusObject(410, 'too old')))
    api.muteWatches()
    await untilEqual()
    t.strictSame(reflector.size, 1)
  })
})

t.test('waits between retries', async (t) => {
  t.test('double from 0.5 s to 30 s while the server refuses, and start over after a working watch', async (t) => {
    const { api, reflector, waits, endWatch, until, untilEqual } = await setUp(t)
    for (let time = 0; time < 9; time++) api.next('list', status(500))
    reflector.start()
    await untilEqual()
    t.strictSame(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    api.put(PATH, 'a')
    await untilEqual()
    api.next('watch', status(500))
    endWatch()
    await until(() => waits.length === 10)
    t.strictSame(waits.at(-1), 500)
  })

  t.test('grow while lists work but watches fail', async (t) => {
    const { api, reflector, waits, until } = await setUp(t)
    for (let time = 0; time < 5; time++) api.next('watch', status(410))
    reflector.start()
    await until(() => waits.length === 5)
    t.strictSame(waits, [500, 1_000, 2_000, 4_000, 8_000])
  })

  t.test('are at least the Retry-After', async (t) => {
    const { api, reflector, waits, untilEqual } = await setUp(t)
    api.next('list', status(429, { 'retry-after': '7' }))
    api.next('list', status(503, { 'retry-after': '0' }))
    api.next('list', status(503, { 'retry-after': 'Fri, 31 Jan 2025 00:00:00 GMT' }))
    api.next('watch', text(eventLine('ERROR', { ...statusObject(429, 'busy'), details: { retryAfterSeconds: 9 } })))
    reflector.start()
    await untilEqual()
    t.strictSame(waits, [7_000, 1_000, 2_000, 9_000])
  })

  t.test('stay within a second while the server is unreachable', async (t) => {
    const { api, reflector, waits, until } = await setUp(t)
    await api.stop()
    reflector.start()
    await until(() => waits.length === 6)
    t.strictSame(waits, [500, 1_000, 1_000, 1_000, 1_000, 1_000])
    await api.start()
  })
})

t.test('a missing kind is not synced, is reported once, and is found within seconds', async (t) => {
  const { api, reflector, logged, waits, until, untilEqual } = await setUp(t)
  api.unserve(PATH)
  reflector.start()
  await until(() => waits.length === 8)
  t.notOk(reflector.synced)
  t.strictSame(reflector.error, 'the API server returned 404: simulated failure')
  t.ok(Math.max(...waits) <= 5_000)
  t.strictSame(logged.filter((message) => message === 'list or watch failed, retrying').length, 1)
  api.serve(PATH)
  api.put(PATH, 'a')
  await untilEqual()
  t.ok(reflector.synced)
  t.strictSame(reflector.error, undefined)
  t.strictSame(logged.filter((message) => message === 'synced').length, 1)
})

t.test('reports the age of the cache', async (t) => {
  const { api, clock, reflector, until, untilEqual } = await setUp(t)
  t.strictSame(reflector.age, Infinity)
  reflector.start()
  await untilEqual()
  t.strictSame(reflector.age, 0)
  clock.pass(20_000)
  t.strictSame(reflector.age, 20_000)
  api.bookmark()
  await until(() => reflector.age === 0)
})

t.test('stop', async (t) => {
  const moments: Record<string, (setup: Setup) => Promise<void>> = {
    'before the first response': async ({ api, until }) => {
      api.next('list', silence)
      await until(() => api.requests.length === 1)
    },
    'between two pages of a list': async ({ api, reflector, until }) => {
      for (let at = 0; at < 600; at++) api.put(PATH, `service-${at}`)
      api.next('page', silence)
      await until(() => reflector.size === 500 && asked(api, 'page').length === 1)
    },
    'in a stream of initial objects': async ({ api, reflector, until }) => {
      api.streams = true
      api.next('stream', text(eventLine('ADDED', A_SERVICE), 'silence'))
      await until(() => reflector.size === 1)
    },
    'in a watch': async ({ untilEqual }) => { await untilEqual() },
    'in a wait': async ({ api, reflector }) => {
      api.next('list', status(500))
      await until(() => reflector.state === 'backing-off')
    }
  }
  for (const [moment, reach] of Object.entries(moments)) {
    t.test(`${moment} ends all activity for good`, async (t) => {
      const setup = await setUp(t)
      const { api, sink, clock, reflector, restarts } = setup
      const reached = reach(setup)
      reflector.start()
      await reached
      const [requests, calls, restarted] = [api.requests.length, sink.calls.length, restarts.length]
      await reflector.stop()
      t.strictSame(reflector.state, 'stopped')
      t.strictSame(clock.pending, 0)
      clock.pass(120_000)
      api.put(PATH, 'a')
      await new Promise((resolve) => { setTimeout(resolve, 50) })
      t.strictSame([api.requests.length, sink.calls.length, restarts.length], [requests, calls, restarted])
      t.strictSame(api.openWatches, 0)
      t.throws(() => { reflector.start() }, /starts once/)
    })
  }

  t.test('between events of one chunk drops the rest', async (t) => {
    const { api, sink, reflector, untilEqual } = await setUp(t)
    reflector.start()
    await untilEqual()
    const stopped = new Promise<void>((resolve) => { sink.onCall = () => { resolve(reflector.stop()) } })
    const event = (version: string) =>
      eventLine('MODIFIED', { metadata: { namespace: 'ml-team', name: 'a', resourceVersion: version } })
    api.write(event('201') + event('202'))
    await stopped
    t.strictSame(sink.calls.slice(2), ['upsert a@201'])
  })

  t.test('before start is allowed', async (t) => {
    const { api, reflector } = await setUp(t)
    await reflector.stop()
    t.strictSame([reflector.state, api.requests.length], ['stopped', 0])
  })
})

t.test('connections', async (t) => {
  t.test('are reused over 100 watches that end in time', async (t) => {
    const { api, reflector, endWatch, until, untilEqual } = await setUp(t)
    reflector.start()
    for (let time = 1; time <= 100; time++) {
      await untilEqual()
      endWatch()
      api.put(PATH, 'a')
      await until(() => asked(api, 'watch').length > time)
    }
    t.ok(api.accepted <= 2, `${api.accepted} connections were opened`)
  })

  t.test('stay few while 100 watches are reset', async (t) => {
    const { api, reflector, restarts, untilEqual } = await setUp(t)
    reflector.start()
    for (let time = 0; time < 100; time++) {
      await untilEqual()
      t.ok(await api.openConnections() <= 2)
      api.reset()
      api.put(PATH, 'a')
    }
    await untilEqual()
    t.strictSame(restarts.length, 100)
  })
})
