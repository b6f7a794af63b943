import fc from 'fast-check'
import t from 'tap'
import { compileExpression, readExpression } from '../../../../src/core/path/expression.ts'
import { ExpressionError } from '../../../../src/core/path/problem.ts'
import { askOracle, type Answer } from '../../../support/binaries/jsonpath-oracle.ts'
import { jsonpathOracle } from '../../../support/binaries/kubernetes-binaries.ts'
import { anyExpression, anyService, damaged, fittingPair } from '../../../support/builders/path-arbitraries.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'

const ORACLE = await jsonpathOracle()

/** A single scalar that is not empty, or the fault. */
type Result = { readonly value: string } | { readonly fault: string }

/** The value that this product reads, before encoding. */
function ours (expression: string, service: JsonObject): Result {
  try {
    const { part, end } = compileExpression(expression, 0)
    if (end < expression.length) return { fault: 'the expression ends before its text does' }
    const reading = typeof part === 'string' ? part : readExpression(part, service, { left: Infinity })
    if (typeof reading === 'string') return { value: reading }
    return { fault: reading.kind === 'pending' ? reading.needs : reading.problem.what }
  } catch (error) {
    if (error instanceof ExpressionError) return { fault: error.problem.what }
    throw error
  }
}

function kubectls ({ values, error }: Answer): Result {
  const [value, ...more] = values ?? []
  const isOneScalar = more.length === 0 && ['string', 'number', 'boolean'].includes(typeof value) && value !== ''
  return isOneScalar ? { value: String(value) } : { fault: error ?? JSON.stringify(values) }
}

const SERVICE: JsonObject = {
  apiVersion: 'aim.silogen.ai/v1alpha1',
  kind: 'AIMService',
  metadata: {
    name: 'chat',
    namespace: 'ml',
    generation: 4,
    uid: 'u',
    creationTimestamp: 't',
    labels: { team: 'nlp', 'app.kubernetes.io/name': 'api', "it's": 'odd' },
    ownerReferences: [{ name: 'red' }, { name: 'blue', controller: true }]
  },
  spec: {
    'a.b': 'dotted',
    a: { b: 'nested' },
    '': 'unnamed',
    'c^': 'caret',
    model: { ref: 'llama' },
    replicas: 2,
    fast: true,
    ratio: 2.5,
    nothing: null,
    empty: '',
    env: [{ name: 'TEAM', value: 'one' }, { name: 'STAGE', value: 'two' }, { name: 'a)b', value: 'three' }],
    list: ['a', 'b', 'c', 'd'],
    ratios: [2.5],
    matrix: [[1, 2], [3], []]
  },
  status: { phase: 'Ready' }
}

const EXPRESSIONS = `
{.kind} {$.kind} {@.kind} { .kind } {.metadata.name} {.metadata .name} {.metadata$.name} {.metadata['name']}
{['metadata']['name']} {$['kind']}
{.metadata.labels.app\\.kubernetes\\.io/name} {.metadata.labels['app\\.kubernetes\\.io/name']} {.metadata.labels.it's}
{.metadata.labels.none} {.metadata.labels}
{.metadata.labels['team','none']} {.metadata.labels['team', 'team']} {.metadata.labels.*} {.metadata.labels[*]}
{.metadata.labels[0]} {.metadata.labels.team[0]}
{.spec.replicas} {.spec.fast} {.spec.ratio} {.spec.nothing} {.spec.nothing.x} {.spec.nothing[0]} {.spec.empty}
{.spec.model.*} {.spec.model['*']} {.spec.none.none}
{.spec.list} {.spec.list[0]} {.spec.list[3]} {.spec.list[4]} {.spec.list[-1]} {.spec.list[-4]} {.spec.list[-5]}
{.spec.list[-0]} {.spec.list[007]} {.spec.list[]}
{.spec.list[1:2]} {.spec.list[:1]} {.spec.list[3:]} {.spec.list[-1:]} {.spec.list[1:1]} {.spec.list[9:9]}
{.spec.list[2:1]} {.spec.list[0:5]} {.spec.list[-1:0]}
{.spec.list[::4]} {.spec.list[0:4:9]} {.spec.list[0:1:0]} {.spec.list[0:0:0]} {.spec.list[0:1:-1]} {.spec.list[::]}
{.spec.list[:]} {.spec.list[0:1:]} {.spec.list[1:3:2]}
{.spec.list[0,0:0]} {.spec.list[0,1]} {.spec.list[0:0,-1]} {.spec.list[0:0,?(@=="c")]} {.spec.list[?(@=="c"),0]}
{.spec.list[0,]} {.spec.list[1:1,]} {.spec.list[[0]]}
{.spec.list[1.5]} {.spec.list[-]} {.spec.list[a]} {.spec.list[} {.spec.list[0} {.spec.list]} {.spec.list['a}
{.spec.list[ 0 ]} {.spec.list[(@.length-1)]} {.spec.list.length}
{.spec.env[?(@.name=="TEAM")].value} {.spec.env[?(@.name=='TEAM')].value} {.spec.env[?(.name=="TEAM")].value}
{.spec.env[?($.name=="TEAM")].value} {.spec.env[?(@.name!="TEAM")].value}
{.spec.env[?(@.name=="a)b")].value} {.spec.env[?("TEAM"==@.name)].value} {.spec.env[?(@.name=="TEAM"].value}
{.spec.env[?(@.name==TEAM)].value} {.spec.env[?(@.name="TEAM")].value}
{.spec.env[?(@.name=="A"&&@.value=="one")].value} {.spec.env[?(@.name=~"T")].value} {.spec.env[?(@)]} {.spec.env[?()]}
{.spec.env[?(@.none)].value} {.spec.env[?(!@.none)].value}
{.spec.list[?(@>"c")]} {.spec.list[?(@>="d")]} {.spec.list[?(@<"b")]} {.spec.list[?(@<="a")]} {.spec.list[?(@==1)]}
{.spec.list[?(@==true)]} {.spec.matrix[?(@[0]==3)][0]} {.spec.matrix[?(@[1])][0]}
{.spec.matrix[1][?(@==3)]} {.spec.matrix[1][?(@<3)]} {.spec.matrix[*][1:]} {.spec.matrix[*][5]} {.spec.matrix[1][*]}
{.spec.matrix[1].*} {.spec.matrix[2][*]} {.spec.matrix[2][0]}
{.metadata.ownerReferences[?(@.controller==true)].name} {.metadata.ownerReferences[?(@.controller)].name}
{.metadata.ownerReferences[*].controller} {.metadata.ownerReferences[?(@.controller!=false)].name}
{..ref} {...ref} {....ref} {..model.ref} {.spec..ref} {.spec.model..ref} {..} {..*} {...*} {..['ref']} {..[0]}
{.spec.matrix[1]..[0]} {.spec.model...*} {..controller} {.spec.ratios..} {.. ref}
{"text"} {'text'} {"it's"} {'it\\'s'} {"a\\tb"} {"a\\u00e9b"} {"a\\\\b"} {"a\\\\"} {"a\\qb"} {"a} {""} {5} {-5} {+5}
{1.50} {5.} {+.5} {1.2.3} {-} {true} {false} {truely} {true.x} {"a".*} {"ab"[0]}
{.spec.none "x"} {.spec.none 5} {.kind "x"} {.kind 5} {5 "x"} {.spec.list[*]5} {.spec.list[0].*} {} { } {$} {@} {.kind}
{.kind!} {kind} {*} {#} {.kind|} {.kind,} {.kind)} {range} {end} {.kind end}
`.trim().split(/(?<=\})\s/).flatMap((line) => line.split('\n'))

interface Seen {
  readonly expression: string
  readonly service: JsonObject
  readonly kubectl: Result
  readonly ours: Result
}

/** The intended differences from kubectl: an example, and how to recognize such an expression. */
interface Difference {
  readonly example: string
  readonly kubectl: string | undefined
  readonly ours: string | undefined
  readonly covers: (seen: Seen) => boolean
}
const differences: Record<string, Difference> = {
  'a quoted key is one key, which kubectl parses as an expression': {
    example: "{.spec['a.b']}",
    kubectl: 'nested',
    ours: 'dotted',
    covers: ({ expression }) => /[[,]\s*'(?:[^'\\]|\\.)*[. ,$@{}[\]]/.test(expression)
  },
  'a key may be in double quotes': {
    example: '{.spec["replicas"]}',
    kubectl: undefined,
    ours: '2',
    covers: ({ expression }) => /[[,]\s*"/.test(expression)
  },
  'integers and fractions compare by value': {
    example: '{.spec.ratios[?(@>2)]}',
    kubectl: undefined,
    ours: '2.5',
    covers: ({ kubectl }) => says(kubectl, /^incompatible types for comparison/)
  },
  'fields that are not stable cannot be read': {
    example: '{.metadata.generation}',
    kubectl: '4',
    ours: undefined,
    covers: ({ ours }) => says(ours, /^kubectl accepts/)
  },
  'fields that no service has cannot be named': {
    example: '{.none "x"}', kubectl: 'x', ours: undefined, covers: ({ ours }) => says(ours, /^no service has a field/)
  },
  'operators of other dialects need quotes in a name': {
    example: '{.spec.c^}',
    kubectl: 'caret',
    ours: undefined,
    covers: ({ ours }) => says(ours, /^(?:the operator|scripts and function calls)/)
  },
  'a dot needs a name': {
    example: '{.spec.}',
    kubectl: 'unnamed',
    ours: undefined,
    covers: ({ ours }) => says(ours, /^a field name is missing/)
  },
  'a filter cannot contain a bare word, which kubectl takes for true': {
    example: '{.spec.matrix[1][?(word)]}',
    kubectl: '3',
    ours: undefined,
    covers: ({ ours }) => says(ours, /neither a field nor quoted text$/)
  },
  'a filter cannot contain a brace, which hides the rest of it from kubectl': {
    example: '{.spec.matrix[1][?(@}!=4)]}',
    kubectl: '3',
    ours: undefined,
    covers: ({ ours }) => says(ours, /^"\}" is not allowed here|^an expression starts/)
  },
  'a filter needs a known operator, even if it compares nothing': {
    example: '{.spec.matrix[2][?(@<>4)]"x"}',
    kubectl: 'x',
    ours: undefined,
    covers: ({ ours }) => says(ours, /is not a comparison$/)
  },
  'quoted text cannot contain numeric escapes': {
    example: '{"\\x41"}',
    kubectl: 'A',
    ours: undefined,
    covers: ({ ours }) => says(ours, /^a text cannot hold/)
  }
}

/** kubectl visits fields in random order, which matters if a slice stops at the first empty list. */
const isRandom = ({ expression }: Seen): boolean => /(?:\.\*|\.\.|'\*').*\[[^\]]*[:*]/.test(expression)

function says (result: Result, pattern: RegExp): boolean {
  return 'fault' in result && pattern.test(result.fault)
}

function agree ({ kubectl, ours }: Seen): boolean {
  return 'value' in kubectl ? 'value' in ours && ours.value === kubectl.value : 'fault' in ours
}

async function compare (pairs: readonly (readonly [expression: string, service: JsonObject])[]): Promise<Seen[]> {
  const answers = await askOracle(ORACLE, pairs.map(([template, object]) => ({ template, object })))
  return answers.map((answer, at) => {
    const [expression, service] = pairs[at] ?? ['', {}]
    return { expression, service, kubectl: kubectls(answer), ours: ours(expression, service) }
  })
}

t.test('an expression yields the scalar that kubectl yields, or a fault', async (t) => {
  for (const seen of await compare(EXPRESSIONS.map((expression) => [expression, SERVICE]))) {
    t.ok(agree(seen), `${seen.expression} ${JSON.stringify(seen.kubectl)}`, { seen })
  }
})

t.test('intended differences from kubectl:', async (t) => {
  const entries = Object.entries(differences)
  const seen = await compare(entries.map(([, { example }]) => [example, SERVICE]))
  for (const [at, [name, difference]] of entries.entries()) {
    const { kubectl, ours } = seen[at] ?? {}
    t.match(
      [kubectl, ours],
      [difference.kubectl, difference.ours].map((value) => (value === undefined ? { fault: /./ } : { value })),
      name
    )
  }
})

t.test('generated expressions yield the same as in kubectl on generated services', async (t) => {
  const seed = 20_260_501
  t.comment(`seed ${seed}`)
  const pairs = fc.sample(fc.oneof(
    { weight: 3, arbitrary: fittingPair },
    { weight: 1, arbitrary: fc.tuple(anyExpression, anyService) },
    { weight: 1, arbitrary: fc.tuple(damaged(anyExpression), anyService) },
    {
      weight: 1,
      arbitrary: fittingPair.chain(([expression, service]) =>
        fc.tuple(damaged(fc.constant(expression)), fc.constant(service)))
    }
  ), { numRuns: 6_000, seed })
  const seen = await compare(pairs)
  const wrong = seen.filter(
    (one) => !agree(one) && !isRandom(one) && !Object.values(differences).some(({ covers }) => covers(one))
  )
  t.same(wrong, [])
  t.comment(`${seen.filter(({ kubectl }) => 'value' in kubectl).length} of ${seen.length} yield a value`)
})
