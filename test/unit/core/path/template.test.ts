import t from 'tap'
import type { TemplateProblem } from '../../../../src/core/path/problem.ts'
import type { SegmentForm } from '../../../../src/core/path/segment.ts'
import { compilePathTemplate, renderPath } from '../../../../src/core/path/template.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'
import { operatorPath } from '../../../support/operator/routes.ts'

const SERVICE: JsonObject = {
  apiVersion: 'aim.silogen.ai/v1alpha1',
  kind: 'AIMService',
  metadata: {
    name: 'llama-chat',
    namespace: 'ml-team',
    uid: '0b6ad8c2-33a5-4c5c-8b4e-6d5e2f6f9a01',
    creationTimestamp: '2026-05-01T10:00:00Z',
    labels: { team: 'NLP', 'app.kubernetes.io/name': 'chat', empty: '', constructor: 'built' },
    annotations: {
      title: 'Große Äpfel & 50% "Öl"',
      slashes: '//a//b/',
      onlySlashes: '///',
      dots: '..',
      encoded: '%2E%2e',
      twice: '%252e',
      hidden: '..%2fadmin',
      backslash: 'a\\..\\b',
      slash: 'a%2Fb',
      turkish: 'İI',
      emoji: 'GO🚀',
      rtl: 'שלום',
      half: 'a\ud800b',
      reserved: "!$&'()*+,;=:@?#[]",
      unreserved: 'A-z.0_9~',
      nul: 'a\0b',
      decomposed: 'e\u0301'
    }
  },
  spec: {
    model: { ref: 'meta-llama-3-8b' },
    replicas: 3,
    cacheModel: false,
    ratio: 0.5,
    nothing: null,
    env: [{ name: 'TEAM', value: 'Blue' }, { name: 'STAGE', value: 'Prod' }],
    resolvedRuntimeConfig: { name: 'default', secret: 'hidden' }
  }
}

function render (template: string, service: JsonObject = SERVICE, form?: SegmentForm) {
  const compilation = compilePathTemplate(template)
  if (compilation.kind === 'invalid') {
    throw new Error(`${template}: ${compilation.problems.map(({ what }) => what).join('; ')}`)
  }
  return renderPath(compilation, service, form)
}

function problemsOf (template: string, service: JsonObject = SERVICE): readonly TemplateProblem[] {
  const compilation = compilePathTemplate(template)
  if (compilation.kind === 'invalid') return compilation.problems
  const rendered = renderPath(compilation, service)
  return rendered.kind === 'invalid' ? rendered.problems : []
}

function withMetadata (metadata: JsonObject): JsonObject {
  return { ...SERVICE, metadata }
}

const paths: Record<string, { template: string, path: string }> = {
  'puts values between literal text': {
    template: "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}",
    path: '/ml-team/nlp/llama-chat'
  },
  'lowercases literal text too': { template: '/V1/Models', path: '/v1/models' },
  'adds a leading slash, drops a trailing slash, and collapses duplicates': {
    template: 'a//{.metadata.name}///b/',
    path: '/a/llama-chat/b'
  },
  'joins all parts between two slashes into one segment': {
    template: '/x{.metadata.labels.team}-{.spec.replicas}y',
    path: '/xnlp-3y'
  },
  'treats a slash inside a value as a separator': {
    template: '/{.metadata.annotations.slashes}/{.metadata.name}',
    path: '/a/b/llama-chat'
  },
  'renders / if only slashes are left': { template: '/{.metadata.annotations.onlySlashes}/', path: '/' },
  'writes numbers and booleans as in JSON': {
    template: '/{.spec.replicas}/{.spec.cacheModel}/{.spec.ratio}',
    path: '/3/false/0.5'
  },
  'percent-encodes in UTF-8 after lowercasing, with capital hex digits': {
    template: '/{.metadata.annotations.title}',
    path: '/gro%C3%9Fe%20%C3%A4pfel%20%26%2050%25%20%22%C3%B6l%22'
  },
  'keeps the unreserved characters of RFC 3986': {
    template: '/{.metadata.annotations.unreserved}',
    path: '/a-z.0_9~'
  },
  'encodes every reserved character': {
    template: '/{.metadata.annotations.reserved}',
    path: '/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40%3F%23%5B%5D'
  },
  'encodes a percent sign and never decodes it': {
    template: '/%2F/{.metadata.annotations.slash}',
    path: '/%252f/a%252fb'
  },
  'lowercases without regard to locale': { template: '/{.metadata.annotations.turkish}', path: '/i%CC%87i' },
  'encodes characters outside the basic plane as a whole': {
    template: '/{.metadata.annotations.emoji}',
    path: '/go%F0%9F%9A%80'
  },
  'encodes right-to-left text in its logical order': {
    template: '/{.metadata.annotations.rtl}',
    path: '/%D7%A9%D7%9C%D7%95%D7%9D'
  },
  'leaves decomposed letters decomposed': { template: '/{.metadata.annotations.decomposed}', path: '/e%CC%81' },
  'encodes control characters of a value': { template: '/{.metadata.annotations.nul}', path: '/a%00b' },
  'allows more than two dots, and dots with other characters': {
    template: '/.../{.metadata.annotations.dots}x',
    path: '/.../..x'
  },
  'reads a label with the name of an inherited property': {
    template: '/{.metadata.labels.constructor}',
    path: '/built'
  }
}

t.test('a path', async (t) => {
  for (const [name, { template, path }] of Object.entries(paths)) {
    t.test(name, async (t) => { t.same(render(template), { kind: 'path', path }) })
  }
})

const dnsPaths: Record<string, { template: string, path: string }> = {
  'keeps letters, digits, dots, and hyphens': { template: '/a--b/-c-/v1.2', path: '/a--b/-c-/v1.2' },
  'lowercases, and replaces every other character of literals': { template: '/A_b~c//D:e/', path: '/a-b-c/d-e' },
  'replaces every other character of values': {
    template: '/{.metadata.annotations.unreserved}/{.metadata.annotations.title}',
    path: '/a-z.0-9-/gro-e--pfel---50----l-'
  },
  'replaces a character outside the basic plane once': { template: '/{.metadata.annotations.emoji}', path: '/go-' },
  'replaces a percent sign, and never decodes it': { template: '/{.metadata.annotations.slash}', path: '/a-2fb' },
  'treats a slash inside a value as a separator': { template: '/{.metadata.annotations.slashes}', path: '/a/b' },
  'cuts a segment at 63 characters': {
    template: `/${'x'.repeat(60)}{.metadata.name}/y`,
    path: `/${'x'.repeat(60)}lla/y`
  },
  'counts the characters of a path after the cut': {
    template: `/${'a'.repeat(150)}/{.metadata.name}${'é'.repeat(20)}`,
    path: `/${'a'.repeat(63)}/llama-chat${'-'.repeat(20)}`
  }
}

t.test('a path of DNS segments', async (t) => {
  for (const [name, { template, path }] of Object.entries(dnsPaths)) {
    t.test(name, async (t) => {
      t.same(render(template, SERVICE, 'dns'), { kind: 'path', path })
      t.equal(operatorPath(path, {}), path, 'an operator serves it as it is')
    })
  }
})

const label = (key: string) => ({ kind: 'label', key })
const faults: Record<string, { template: string, problem: Partial<TemplateProblem> }> = {
  'names a label that is not set': {
    template: "/{.metadata.labels['none']}",
    problem: {
      code: 'AIM-PATH-FIELD-MISSING',
      expression: "{.metadata.labels['none']}",
      position: 1,
      what: 'label "none" is not set on this service',
      missing: { kind: 'label', key: 'none' }
    }
  },
  'names an annotation that is not set': {
    template: '{.metadata.annotations.none}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING',
      what: 'annotation "none" is not set on this service',
      missing: { kind: 'annotation', key: 'none' }
    }
  },
  'treats an inherited property as unset': {
    template: '{.metadata.labels.toString}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING', what: 'label "toString" is not set on this service'
    }
  },
  'names a field that is not set': {
    template: '{.spec.templateRef}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING', what: 'field .spec.templateRef is not set on this service'
    }
  },
  'names the first unset field of a path': {
    template: '{.spec.routing.gatewayRef.name}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING', what: 'field .spec.routing is not set on this service'
    }
  },
  'says that an empty label is empty': {
    template: '{.metadata.labels.empty}',
    problem: {
      code: 'AIM-PATH-VALUE-EMPTY', what: 'label "empty" is empty', missing: { kind: 'label', key: 'empty' }
    }
  },
  'says that a field is null': {
    template: '{.spec.nothing}',
    problem: { code: 'AIM-PATH-VALUE-EMPTY', what: 'field .spec.nothing is null' }
  },
  'refuses empty quoted text': {
    template: '/a{""}',
    problem: { code: 'AIM-PATH-VALUE-EMPTY', what: 'the selected value is empty' }
  },
  'says that a field is a list': {
    template: '{.spec.env}',
    problem: {
      code: 'AIM-PATH-VALUE-NOT-SCALAR',
      what: 'field .spec.env is a list',
      remedy: 'choose one item with an index, as in [0]'
    }
  },
  'says that a field is an object': {
    template: '{.spec.env[0]}',
    problem: { code: 'AIM-PATH-VALUE-NOT-SCALAR', what: 'field .spec.env[0] is an object' }
  },
  'says that the root is an object': {
    template: '{$}',
    problem: { code: 'AIM-PATH-VALUE-NOT-SCALAR', what: 'the whole service is an object' }
  },
  'counts several values': {
    template: '{.spec.env[*].name}',
    problem: { code: 'AIM-PATH-VALUE-NOT-SINGLE', what: '2 values match' }
  },
  'says that nothing matches': {
    template: '{.spec.env[?(@.name=="NONE")].value}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', what: 'nothing on this service matches' }
  },
  'says the length of a list without that item': {
    template: '{.spec.env[2].name}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING', what: 'field .spec.env is a list of 2 and has no item 2'
    }
  },
  'says that an object is not a list': {
    template: '{.spec.model[0]}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', what: 'field .spec.model is an object, not a list' }
  },
  'treats a field inside null as unset': {
    template: '{.spec.nothing.inside}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', what: 'field .spec.nothing.inside is not set on this service' }
  },
  'suggests an item for a field of a list': {
    template: '{.spec.env.name}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING',
      what: 'field .spec.env is a list',
      remedy: 'choose an item, as in {.spec.env[0].name}'
    }
  },
  'says that a string has no fields': {
    template: '{.metadata.name.length}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING',
      what: 'field .metadata.name is a string and has no fields',
      remedy: 'write {.metadata.name}'
    }
  },
  'says that the dots of a set label are read as fields': {
    template: '{.metadata.labels.app.kubernetes.io/name}',
    problem: {
      code: 'AIM-PATH-FIELD-MISSING',
      what: 'label "app.kubernetes.io/name" is set on this service, but its dots are read as nested fields',
      remedy: "write {.metadata.labels['app.kubernetes.io/name']}"
    }
  },
  'says that the dots of an unset label are read as fields': {
    template: '{.metadata.annotations.a.b/c}',
    problem: {
      what: 'annotation "a.b/c" is not set on this service, and its dots are read as nested fields',
      remedy: "write {.metadata.annotations['a.b/c']}"
    }
  },
  'refuses a literal dot segment, with its position': {
    template: '/a/../b',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID', position: 3 }
  },
  'refuses a literal dot segment that is percent-encoded': {
    template: '/%2e%2E/b',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID', position: 1 }
  },
  'refuses a literal dot segment that is encoded twice': {
    template: '/a/%252e',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID', position: 3 }
  },
  'refuses a dot segment from a value': {
    template: '/a/{.metadata.annotations.dots}',
    problem: {
      code: 'AIM-PATH-SEGMENT-INVALID', expression: '{.metadata.annotations.dots}', position: 3
    }
  },
  'refuses a dot segment composed of text and a value': {
    template: '/.{"."}',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID' }
  },
  'refuses an encoded dot segment from a value': {
    template: '/{.metadata.annotations.encoded}',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID' }
  },
  'refuses a dot segment from a value that is encoded twice': {
    template: '/{.metadata.annotations.twice}',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID' }
  },
  'refuses a dot segment after an encoded slash': {
    template: '/{.metadata.annotations.hidden}',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID' }
  },
  'refuses a dot segment between backslashes': {
    template: '/{.metadata.annotations.backslash}',
    problem: { code: 'AIM-PATH-SEGMENT-INVALID' }
  },
  'refuses half of a surrogate pair': {
    template: '/{.metadata.annotations.half}',
    problem: {
      code: 'AIM-PATH-SEGMENT-INVALID',
      what: 'the path segment "a\\u{d800}b" contains half of a surrogate pair, which a URL cannot hold'
    }
  }
}

t.test('a problem', async (t) => {
  for (const [name, { template, problem }] of Object.entries(faults)) {
    t.test(name, async (t) => {
      const problems = problemsOf(template)
      t.equal(problems.length, 1)
      t.match(problems[0], problem)
    })
  }

  t.test('is reported with all others, in the order of the template', async (t) => {
    const problems = problemsOf("/{.metadata.labels['a']}/{.spec.env}/{.metadata.name}/{.metadata.annotations.b}")
    t.same(
      problems.map(({ missing, code }) => missing ?? code),
      [label('a'), 'AIM-PATH-VALUE-NOT-SCALAR', { kind: 'annotation', key: 'b' }]
    )
  })

  t.test('names the labels as a whole if the service has no labels', async (t) => {
    t.match(problemsOf('{.metadata.labels}', withMetadata({})), [
      { what: 'field .metadata.labels is not set on this service' }
    ])
  })

  t.test('takes precedence over a pending value', async (t) => {
    t.match(problemsOf('/{.metadata.uid}/{.metadata.labels.none}', withMetadata({ name: 'a', labels: {} })), [
      { code: 'AIM-PATH-FIELD-MISSING' }
    ])
  })

  t.test('has a printable, short message', async (t) => {
    const [problem] = problemsOf(`/{.metadata.labels['${'k'.repeat(100)}\u202e']}`)
    t.notMatch(problem?.what, /[\p{Cc}\p{Cf}]/u)
    t.ok((problem?.what.length ?? 999) < 200)
  })
})

const unassigned: Record<string, { template: string, metadata: JsonObject, want: object }> = {
  'waits for the uid': {
    template: '/{.metadata.uid}',
    metadata: { name: 'a' },
    want: { kind: 'pending', needs: 'metadata.uid' }
  },
  'waits for an empty uid': {
    template: '/{.metadata.uid}',
    metadata: { name: 'a', uid: '' },
    want: { kind: 'pending', needs: 'metadata.uid' }
  },
  'waits for the creation time, which clients send as null': {
    template: "/{.metadata['creationTimestamp']}",
    metadata: { name: 'a', creationTimestamp: null },
    want: {
      kind: 'pending', needs: 'metadata.creationTimestamp'
    }
  },
  'waits for the name under generateName': {
    template: '/{.metadata.name}',
    metadata: { generateName: 'a-' },
    want: { kind: 'pending', needs: 'metadata.name' }
  },
  'waits for the future matches of wildcards and ..': {
    template: '/{..uid}',
    metadata: { name: 'a' },
    want: { kind: 'pending', needs: 'metadata.uid' }
  },
  'waits for the first of several': {
    template: '/{.metadata.name}/{.metadata.uid}',
    metadata: { generateName: 'a-' },
    want: { kind: 'pending', needs: 'metadata.name' }
  },
  'does not wait for a name without generateName': {
    template: '/{.metadata.name}',
    metadata: {},
    want: { kind: 'invalid', problems: [{ code: 'AIM-PATH-FIELD-MISSING' }] }
  },
  'does not wait for a set field': {
    template: '/{.metadata.uid}',
    metadata: { uid: 'U' },
    want: { kind: 'path', path: '/u' }
  },
  'does not wait for a label named like such a field': {
    template: '/{.metadata.labels.uid}',
    metadata: { labels: {} },
    want: { kind: 'invalid' }
  }
}

t.test('before the API server sets all fields, a path', async (t) => {
  for (const [name, { template, metadata, want }] of Object.entries(unassigned)) {
    t.test(name, async (t) => { t.match(render(template, withMetadata(metadata)), want) })
  }
})

t.test('a rendered path', async (t) => {
  const withLabel = (value: string) => withMetadata({ annotations: { x: value } })

  t.test('of exactly 200 characters is accepted', async (t) => {
    t.same(render('/{.metadata.annotations.x}', withLabel('x'.repeat(199))), {
      kind: 'path',
      path: `/${'x'.repeat(199)}`
    })
  })

  t.test('of 201 characters is refused, and the message has both numbers', async (t) => {
    t.match(problemsOf('/{.metadata.annotations.x}', withLabel('x'.repeat(200))), [
      { code: 'AIM-PATH-TOO-LONG', what: /^the rendered path has 201 characters, at most 200 are allowed: \/xxx/ }
    ])
  })

  t.test('is counted after encoding', async (t) => {
    t.match(render('/{.metadata.annotations.x}', withLabel('é'.repeat(33))), { kind: 'path' })
    t.match(problemsOf('/{.metadata.annotations.x}', withLabel('é'.repeat(34))), [
      { code: 'AIM-PATH-TOO-LONG', what: /has 205 characters/ }
    ])
  })

  t.test('is not composed if one value is far too long', async (t) => {
    t.match(problemsOf('/{.metadata.annotations.x}', withLabel('/'.repeat(1_001))), [
      {
        code: 'AIM-PATH-TOO-LONG',
        expression: '{.metadata.annotations.x}',
        what: 'annotation "x" has 1001 characters, a path can have at most 200'
      }
    ])
  })
})

t.test('rendering does not change the service', async (t) => {
  const before = JSON.stringify(SERVICE)
  for (const template of [
    '{..value}',
    '{.spec.*}',
    '{.metadata.*}',
    '{.spec.env[?(@.name=="TEAM")].value}',
    '{.metadata.labels.none}'
  ]) { problemsOf(template) }
  t.equal(JSON.stringify(SERVICE), before)
})
