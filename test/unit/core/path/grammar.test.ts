import t from 'tap'
import type { TemplateProblem } from '../../../../src/core/path/problem.ts'
import { compilePathTemplate, renderPath } from '../../../../src/core/path/template.ts'

const SERVICE = {
  apiVersion: 'aim.silogen.ai/v1alpha1',
  kind: 'AIMService',
  metadata: {
    name: 'chat',
    namespace: 'ml',
    resourceVersion: '7',
    labels: {
      team: 'nlp',
      'app.kubernetes.io/name': 'api',
      'a b': 'space',
      "it's": 'apostrophe',
      'say"': 'quote',
      'a]b': 'bracket',
      'a,b': 'comma'
    },
    ownerReferences: [{ kind: 'Team', name: 'red' }, { kind: 'Org', name: 'blue', controller: true }]
  },
  spec: {
    model: { ref: 'llama' },
    replicas: 2,
    env: [{ name: 'TEAM', value: 'one' }, { name: 'STAGE', value: 'two' }, { name: 'a)b', value: 'three' }],
    list: ['a', 'b', 'c', 'd'],
    matrix: [[1, 2], [3]],
    resolvedRuntimeConfig: { kind: 'AIMRuntimeConfig' }
  },
  status: { phase: 'Ready' }
}

const accepted: Record<string, { [expression: string]: string }> = {
  'fields, with or without a root': {
    '{.kind}': 'aimservice', '{$.kind}': 'aimservice', '{@.kind}': 'aimservice', '{.metadata$.name}': 'chat'
  },
  'spaces between steps': { '{ .metadata .name }': 'chat', "{.metadata ['name']}": 'chat' },
  'dots and other characters after a backslash': {
    '{.metadata.labels.app\\.kubernetes\\.io/name}': 'api',
    '{.metadata.labels.a\\ b}': 'space'
  },
  'keys in single quotes, with dots escaped': { "{.metadata.labels['app\\.kubernetes\\.io/name']}": 'api' },
  'quoted keys with any character but their quote': {
    "{.metadata.labels['app.kubernetes.io/name']}": 'api',
    '{.metadata.labels["app.kubernetes.io/name"]}': 'api',
    "{.metadata.labels['a b']}": 'space',
    '{.metadata.labels["it\'s"]}': 'apostrophe',
    "{.metadata.labels['say\"']}": 'quote',
    "{.metadata.labels['a]b']}": 'bracket',
    "{.metadata.labels['a,b']}": 'comma'
  },
  'indexes, also from the end': {
    '{.spec.list[0]}': 'a',
    '{.spec.list[-1]}': 'd',
    '{.spec.list[]}': 'a',
    '{.spec.matrix[0][1]}': '2'
  },
  'slices of one item, and with a step': {
    '{.spec.list[1:2]}': 'b',
    '{.spec.list[-1:]}': 'd',
    '{.spec.list[:1]}': 'a',
    '{.spec.list[::4]}': 'a',
    '{.spec.list[1:3:2]}': 'b'
  },
  'wildcards that match one value': {
    '{.spec.model.*}': 'llama',
    "{.spec.model['*']}": 'llama',
    '{.spec.matrix[1][*]}': '3',
    '{.metadata.ownerReferences[*].controller}': 'true'
  },
  'unions with one existing member': {
    "{.metadata.labels['squad','team']}": 'nlp',
    '{.spec.list[0:0, 3]}': 'd',
    '{.spec.env[0:0,?(@.name=="STAGE")].value}': 'two'
  },
  'descents that match one value': {
    '{..ref}': 'llama',
    '{.spec..ref}': 'llama',
    '{...ref}': 'llama',
    '{..controller}': 'true'
  },
  'filters that compare': {
    '{.spec.env[?(@.name=="TEAM")].value}': 'one',
    "{.spec.env[?(@.name=='STAGE')].value}": 'two',
    '{.spec.env[?(.name=="STAGE")].value}': 'two',
    '{.spec.env[?( @.name == "STAGE" )].value}': 'two',
    '{.spec.env[?(@.name=="a)b")].value}': 'three',
    '{.spec.list[?(@>"c")]}': 'd',
    '{.spec.list[?(@>="d")]}': 'd',
    '{.spec.list[?(@<"b")]}': 'a',
    '{.spec.list[?(@<="a")]}': 'a',
    '{.spec.matrix[1][?(@!=4)]}': '3',
    '{.metadata.ownerReferences[?(@.controller==true)].name}': 'blue'
  },
  'filters on existence': { '{.metadata.ownerReferences[?(@.controller)].name}': 'blue' },
  literals: {
    '{"Text"}': 'text',
    "{'it\\'s'}": 'it%27s',
    '{"tab\\tq\\"\\u00e9\\\\b"}': 'tab%09q%22%C3%A9%5Cb',
    '{12}': '12',
    '{-1.50}': '-1.5',
    '{+7}': '7',
    '{true}': 'true',
    '{"}"}': '%7D'
  },
  'a literal after a missing field': { '{.spec.none "x"}': 'x' },
  'a wildcard over the bytes of a string': { '{.spec.list[0].*}': '97' }
}

t.test('as in kubectl, an expression may contain', async (t) => {
  for (const [name, examples] of Object.entries(accepted)) {
    t.test(name, async (t) => {
      for (const [expression, value] of Object.entries(examples)) {
        const compilation = compilePathTemplate(expression)
        const rendered = compilation.kind === 'compiled' ? renderPath(compilation, SERVICE) : compilation
        t.equal(rendered.kind === 'path' ? rendered.path.slice(1) : '', value, expression)
      }
    })
  }
})

const SYNTAX = 'AIM-TEMPLATE-SYNTAX'
const UNSUPPORTED = 'AIM-TEMPLATE-UNSUPPORTED'

type Expected = Partial<Omit<TemplateProblem, 'what'>> & { what?: string | RegExp }

const refused: Record<string, { template: string, problem: Expected }> = {
  'an opening brace that is not closed': {
    template: '/a/{.metadata.name',
    problem: { code: SYNTAX, position: 3, what: 'the expression is not closed', remedy: 'end it with }' }
  },
  'a closing brace without an opening one': {
    template: '/a}/b',
    problem: { code: SYNTAX, position: 2, what: 'there is a "}" without a "{" before it' }
  },
  'an expression inside another': {
    template: '{.metadata{.name}',
    problem: { code: SYNTAX, position: 10, what: 'an expression starts inside another' }
  },
  'empty braces': {
    template: '/{}',
    problem: {
      code: SYNTAX,
      position: 1,
      what: 'the expression is empty',
      remedy: 'name a field, as in {.metadata.name}'
    }
  },
  'doubled braces': {
    template: '/{{ .metadata.name }}',
    problem: { code: SYNTAX, position: 1, expression: '{{ .metadata.name }}', remedy: 'write {.metadata.name}' }
  },

  'braces after a dollar sign': {
    template: '/$' + '{.metadata.name}',
    problem: { code: SYNTAX, position: 1, what: 'the "$" before the braces would become part of the path' }
  },
  'a field without its dot': {
    template: '{metadata.name}',
    problem: { code: SYNTAX, position: 1, what: 'a dot is missing before metadata', remedy: 'write {.metadata.name}' }
  },
  'a metadata field without its parent': {
    template: '{namespace}',
    problem: { code: SYNTAX, remedy: 'write {.metadata.namespace}' }
  },
  'a label without its parents': {
    template: '{team}',
    problem: { code: SYNTAX, remedy: "write {.metadata.labels['team']}" }
  },
  'a word among fields': {
    template: '{.metadata.name or}',
    problem: { code: SYNTAX, position: 16, what: 'or is neither a field nor quoted text' }
  },
  'a dot without a name': {
    template: '{.metadata.}',
    problem: { code: SYNTAX, position: 11, what: 'a field name is missing after the dot' }
  },
  'a dot before a bracket': {
    template: "{.metadata.labels.['team']}",
    problem: { code: SYNTAX, position: 18, remedy: 'remove the dot before the bracket' }
  },
  'a bracket that is not closed': {
    template: '{.metadata[}',
    problem: { code: SYNTAX, position: 11, remedy: "write ['key'] for a field, [0] for an item of a list" }
  },
  'a bracket that is not closed after its key': {
    template: "{.metadata.labels['team' }",
    problem: { code: SYNTAX, position: 17, what: 'the bracket is not closed' }
  },
  'a quote that is not closed': {
    template: "{.metadata.labels['team]}",
    problem: { code: SYNTAX, position: 18, what: 'the quote is not closed', remedy: "end the key with ']" }
  },
  'a quote inside quotes': {
    template: "{.metadata.labels['it's']}",
    problem: { code: SYNTAX, position: 21, what: /^there is a quote inside the quotes/ }
  },
  'an escaped quote inside quotes': {
    template: "{.metadata.labels['it\\'s']}",
    problem: { code: SYNTAX, position: 22, what: /^there is a quote inside the quotes/ }
  },
  'a backslash that ends a quoted key': {
    template: "{.metadata.labels['a\\']}",
    problem: { code: SYNTAX, position: 21 }
  },
  'a text that is not closed': {
    template: '{"text}',
    problem: { code: SYNTAX, position: 1, what: 'the quote is not closed' }
  },
  'a key in brackets without quotes': {
    template: '{.metadata.labels[team]}',
    problem: { code: SYNTAX, position: 18, remedy: "write ['team']" }
  },
  'a key in typographic quotes': {
    template: '{.metadata.labels[‘team’]}',
    problem: { code: SYNTAX, position: 18, remedy: "write ['team']" }
  },
  'spaces inside brackets, as kubectl does': {
    template: "{.metadata.labels[ 'team' ]}",
    problem: { code: SYNTAX, remedy: "write ['team']" }
  },
  'a fraction as an index': { template: '{.spec.list[1.5]}', problem: { code: SYNTAX, position: 12 } },
  'a lone minus as an index': { template: '{.spec.list[-]}', problem: { code: SYNTAX, what: '"-" is not an index' } },
  'an index beyond every list': {
    template: '{.spec.list[99999999999999999999]}',
    problem: { code: SYNTAX, what: '"99999999999999999999" is not an index' }
  },
  'a malformed number': {
    template: '{1.2.3}',
    problem: { code: SYNTAX, what: '1.2.3 is not a number, or too large to be exact' }
  },
  'two descents in a row': {
    template: '{....name}',
    problem: { code: SYNTAX, position: 3, what: '".." follows ".."' }
  },
  'a star without its dot': { template: '{..*}', problem: { code: SYNTAX, position: 3, remedy: 'write .* or [*]' } },
  'a tab, as kubectl does': {
    template: '{.metadata\t.name}',
    problem: {
      code: SYNTAX,
      position: 10,
      what: 'the template contains a control character or line break',
      expression: '{.metadata\\u{9}.name}'
    }
  },
  'a line break in the text': {
    template: '/a\nb',
    problem: { code: SYNTAX, position: 2, what: 'the template contains a control character or line break' }
  },
  'half of a surrogate pair in an expression': {
    template: "{.metadata.labels['\ud800']}",
    problem: { code: SYNTAX, what: 'the template contains half of a surrogate pair' }
  },
  'a filter that is not closed': {
    template: '{.spec.env[?(@.name=="TEAM"]}',
    problem: { code: SYNTAX, what: 'the filter is not closed' }
  },
  'a filter without its bracket': {
    template: '{.spec.env[?(@.name=="TEAM").value}',
    problem: { code: SYNTAX, what: 'the filter does not end with )]' }
  },
  'a filter inside a filter, as kubectl does': {
    template: '{.spec.env[?(@.a[?(@.b)].c)]}',
    problem: { code: SYNTAX, what: 'the filter is not closed' }
  },
  'a single equals sign': {
    template: '{.spec.env[?(@.name="TEAM")]}',
    problem: { code: SYNTAX, position: 19, what: '"=" is not a comparison', remedy: 'write one of == != < <= > >=' }
  },
  'a comparison with a bare word': {
    template: '{.spec.env[?(@.name==TEAM)].value}',
    problem: { code: SYNTAX, position: 21, remedy: 'write .TEAM for a field, "TEAM" for text' }
  },
  'two comparisons, as kubectl does': {
    template: '{.spec.env[?(@.name=="A" && @.value=="B")]}',
    problem: { code: SYNTAX, what: '"&" is not allowed here' }
  },
  'a loop, which kubectl accepts': {
    template: '{range .spec.list[*]}',
    problem: {
      code: UNSUPPORTED,
      position: 1,
      what: 'kubectl accepts "range", a path template does not: an expression yields one value and cannot loop'
    }
  },
  'the end of a loop': { template: '{end}', problem: { code: UNSUPPORTED, what: /^kubectl accepts "end"/ } },
  'a script in brackets': {
    template: '{.spec.list[(@.length-1)]}',
    problem: {
      code: UNSUPPORTED,
      position: 12,
      what: 'scripts and function calls are not supported'
    }
  },
  'a call in a filter': {
    template: '{.spec.env[?(@.name==f())]}',
    problem: { code: UNSUPPORTED, what: /^scripts and function calls/ }
  },
  'a call of a type': { template: '{.metadata.name@string()}', problem: { code: UNSUPPORTED, position: 22 } },
  'a call of a method': { template: '{.metadata.name.toString()}', problem: { code: UNSUPPORTED, position: 24 } },
  'a regular expression': {
    template: '{.spec.env[?(@.name=~"T.*")]}',
    problem: { code: UNSUPPORTED, what: 'regular expressions are not supported, as in kubectl' }
  },
  'the parent operator': {
    template: '{.metadata.name^}',
    problem: {
      code: UNSUPPORTED,
      position: 15,
      what: 'the operator "^" of other JSONPath dialects is not supported, as in kubectl'
    }
  },
  'the operator for property names': {
    template: '{.metadata.labels[~]}',
    problem: { code: UNSUPPORTED, position: 18 }
  },
  'the escape operator': { template: '{.`metadata}', problem: { code: UNSUPPORTED, position: 2 } },
  'an escape that paths do not need': {
    template: '{"a\\x41"}',
    problem: { code: UNSUPPORTED, position: 3, what: 'quoted text cannot contain \\x' }
  },
  'the status, with the reason': {
    template: '{.status.phase}',
    problem: {
      code: UNSUPPORTED,
      what: 'kubectl accepts .status, a path template does not: it is written after admission'
    }
  },
  'a field that every write changes': {
    template: '{$.metadata["resourceVersion"]}',
    problem: {
      code: UNSUPPORTED,
      what: /^kubectl accepts \.metadata\.resourceVersion, .* it changes with every write$/
    }
  },
  'a field that every write changes, in a union': {
    template: "{.metadata['name','generation']}",
    problem: { code: UNSUPPORTED }
  },
  'the block': {
    template: '{.spec.resolvedRuntimeConfig.kind}',
    problem: { code: UNSUPPORTED, what: /it is the result of admission/ }
  },
  'a field that no service has': {
    template: '{.metadata.owner}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', what: 'no service has a field .metadata.owner' }
  },
  'a misspelled field, with its correction': {
    template: '{.metadata.label.team}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', remedy: 'write {.metadata.labels.team}' }
  },
  'a field without its parents, with its correction': {
    template: '{.name}',
    problem: { code: 'AIM-PATH-FIELD-MISSING', remedy: 'write {.metadata.name}' }
  },
  'nested fields in one pair of quotes': {
    template: "{['metadata.name']}",
    problem: { code: 'AIM-PATH-FIELD-MISSING', remedy: 'write {.metadata.name}' }
  }
}

t.test('compiling rejects a template for', async (t) => {
  for (const [name, { template, problem }] of Object.entries(refused)) {
    t.test(name, async (t) => {
      const compilation = compilePathTemplate(template)
      const problems = compilation.kind === 'invalid' ? compilation.problems : []
      t.match(problems, [problem])
      t.equal(problems.length, 1)
    })
  }

  t.test('all mistakes are reported in the order of the text', async (t) => {
    const compilation = compilePathTemplate('/../{metadata.name}/}/{.status}/{.a')
    t.match(compilation, {
      problems: [{ position: 1 }, { position: 5 }, { position: 20 }, { position: 22 }, { position: 32 }]
    })
  })
})

t.test('wildcards and descents skip withheld fields', async (t) => {
  for (const expression of [
    '{..phase}', '{.*.resourceVersion}', '{..resolvedRuntimeConfig}', '{.spec.*.kind}', '{.metadata..resourceVersion}'
  ]) {
    const compilation = compilePathTemplate(expression)
    t.match(
      compilation.kind === 'compiled' && renderPath(compilation, SERVICE),
      { kind: 'invalid', problems: [{ code: 'AIM-PATH-FIELD-MISSING' }] },
      expression
    )
  }
})

t.test('the size of a template', async (t) => {
  const codes = (template: string) => {
    const compilation = compilePathTemplate(template)
    return compilation.kind === 'invalid' ? compilation.problems.map(({ code }) => code) : []
  }
  const [LONG, COMPLEX] = ['AIM-TEMPLATE-TOO-LONG', 'AIM-TEMPLATE-TOO-COMPLEX']

  t.test('may be 200 Unicode characters', async (t) => {
    t.same(codes(`/${'x'.repeat(199)}`), [])
    t.same(codes(`/${'🚀'.repeat(199)}`), [])
  })
  t.test('may not be 201 characters, and the message has both numbers', async (t) => {
    t.match(compilePathTemplate(`/${'x'.repeat(200)}`), {
      problems: [{ code: LONG, what: 'the template has 201 characters, at most 200 are allowed' }]
    })
  })
  t.test('over the limit does not hide other mistakes', async (t) => {
    t.same(codes(`/{metadata.name}/${'x'.repeat(200)}`), [LONG, SYNTAX])
  })
  t.test('over 1,024 bytes keeps it from being parsed', async (t) => {
    t.same(codes(`{metadata.name}${'x'.repeat(1_009)}`), [LONG, SYNTAX])
    t.same(codes(`{metadata.name}${'x'.repeat(1_010)}`), [LONG, COMPLEX])
    t.same(codes(`{metadata.name}${'é'.repeat(505)}`), [LONG, COMPLEX])
  })
  t.test('of megabytes is not counted to the end', async (t) => {
    t.match(compilePathTemplate('{'.repeat(3_000_000)), {
      problems: [{ what: 'the template has more than 10000 characters, at most 200 are allowed' }, { code: COMPLEX }]
    })
  })
  t.test('may have 16 expressions, not 17', async (t) => {
    t.same(codes('{.kind}'.repeat(16)), [])
    t.match(compilePathTemplate('{.kind}'.repeat(17)), {
      problems: [
        {
          code: COMPLEX,
          position: 112,
          what: 'the template has more than 16 expressions; the rest was not checked'
        }
      ]
    })
  })
  t.test('allows expressions of 256 bytes, not 257', async (t) => {
    t.same(codes(`{.spec['${'é'.repeat(122)}x']}`), [])
    t.match(compilePathTemplate(`{.spec['${'é'.repeat(123)}']}`), {
      problems: [{ code: COMPLEX, what: 'the expression has 257 bytes, at most 256 are allowed' }]
    })
  })
  t.test('may not be zero', async (t) => {
    for (const empty of ['', '  ']) {
      t.match(compilePathTemplate(empty), {
        problems: [{ code: SYNTAX, what: 'the template is empty', remedy: /^remove the field/ }]
      })
    }
  })
})
