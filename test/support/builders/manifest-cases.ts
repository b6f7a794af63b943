/** Texts behind `v: `, each alone in a document. */
const SCALARS: readonly string[] = [
  // booleans and null
  'y', 'Y', 'yes', 'Yes', 'YES', 'yEs', 'n', 'N', 'no', 'No', 'NO', 'nO', 'true', 'True', 'TRUE', 'tRue', 'false',
  'False', 'FALSE', 'on', 'On', 'ON', 'oN', 'off', 'Off', 'OFF', 'oFF', '~', 'null', 'Null', 'NULL', 'nUll', '',
  '""', '"yes"', '\'no\'', '"null"', '"~"', 'yes # comment', 'yes#text', 'nil', 'none', 'undefined', 't', 'f', 'T',
  'F',
  // integers
  '0', '-0', '+0', '00', '007', '010', '0777', '08', '09', '0o17', '0O17', '0o8', '0x1f', '0X1F', '0xg', '0x',
  '-0x1f', '+0x1F', '0b101', '0B101', '0b2', '-0b11', '+0b11', '1_000', '1__0', '_1', '1_', '0x_1f', '0_7', '+12',
  '-12', '--1', '+-1', '1-', '12:30:45', '190:20:30', '1:0', '9007199254740991', '9007199254740992',
  '9007199254740993', '-9007199254740993', '9223372036854775807', '9223372036854775808', '-9223372036854775808',
  '-9223372036854775809', '18446744073709551615', '18446744073709551616', '+18446744073709551615',
  '12345678901234567890123', '0xffffffffffffffff', '0x7fffffffffffffff', '0x10000000000000000',
  '01777777777777777777777', '1e3', '1E3', '1e+3', '1e-3', '0xe3',
  // floats
  '1.0', '1.5', '-1.5', '+1.5', '.5', '-.5', '+.5', '5.', '-5.', '.', '..', '-.', '+.', '1.2.3', '1.10', '1.e3',
  '.5e3', '._5', '.5_0', '1_0.5', '1._5', '12e4567', '-12e4567', '1e400', '.1e400', '1e-400', '1e15', '1e20', '1e21',
  '1e22', '123e-7', '0.1', '0.30000000000000004', '1e', 'e1', '1e+', '.e1', '1.5e3.2', '0.0', '-0.0', '08.5', '00.5',
  '0x1p4', '0x1.8p1', '.inf', '.Inf', '.INF', '-.inf', '+.inf', '.iNF', 'inf', 'Infinity', '.nan', '.NaN', '.NAN',
  '.Nan', 'NaN', '1,000', '1 000', '10Gi', '100m', '1d', '1f', '1.0f', '0.5.', '9007199254740993.0', '3.4028235e+39',
  // dates
  '2026-01-31', '2026-1-1', '2026-01-31T10:00:00Z', '2026-01-31 10:00:00', '2026-13-41', '20260131', '2026-01',
  // tags
  '!!str 5', '!!str yes', '!!str', '!!str null', '!!int 5', '!!int "5"', '!!int abc', '!!int 1.5', '!!int',
  '!!float 3', '!!float 3.5', '!!float "3.5"', '!!float x', '!!bool yes', '!!bool "no"', '!!bool 1', '!!null null',
  '!!null x', '!!null', '!!binary aGk=', '!!binary "aGk="', '!!binary %%', '!!timestamp 2026-01-31', '!!timestamp x',
  '! 12', '!foo 12', '!foo bar', '!<tag:yaml.org,2002:int> 7', '!<tag:yaml.org,2002:str> 7', '!!set {a, b}',
  '!!omap [a: 1]', '!!map {a: 1}', '!!seq [1]', '!!map [1]', '!!seq {a: 1}', '!!foo 1', '!e!x 1', '!!str {a: 1}',
  '!!int [1]', '!!merge x', '!!pairs [a: 1]',
  // quotes
  '"a\\tb"', '"\\x41"', '"\\u0041"', '"\\U0001F600"', '"\\uD83D\\uDE00"', '"\\e\\a\\b\\0"', '"\\/"', '"\\q"',
  '"\\xZZ"', '"\\N\\_\\L\\P"', '\'it\'\'s\'', '"a\\\n  b"', '"a\n  b"', '"a\n\n  b"', '\'a\n  b\'', 'a\n  b',
  'a\n\n  b', '"a"b', '"a" b', '\'a\'\'', '"', '\'', '"a', '"a #b"', 'a #b', 'a#b', '#b', '"\\ a"', '"\t"', '\ta',
  'a\tb', 'a\t', '"a\\\tb"',
  // plain texts with special characters
  'a: b', 'a:b', 'a :b', 'a:', ':a', ': a', '::', '-', '- a', '-a', '--- a', '---', '...', '?', '? a', '?a', '@a',
  '`a`', '%a', '&a b', '&a', '*a', '!', '|', '>', '|x', '[', ']', '{', '}', ',', ', a', 'a, b', 'a]', 'a}', '[a',
  '{a', '[a]b', '{a: 1} b', '=', '<<', '<<: a', '\\n', '\\', 'ä', '日本', '😀', '{{ .Values.x }}', '"{{ .Values.x }}"',
  '{{ include "a" . }}', '$' + '{X}', 'http://a/b', 'a/b:c', 'C:\\x', '*', '&', '"\\u2028"', 'a\u2028b', 'a\u0085b',
  // block texts
  '|\n  a\n  b\n', '>\n  a\n  b\n', '|-\n  a\n', '|+\n  a\n\n', '>-\n  a\n\n  b\n', '|2\n   a\n', '|1\n a\n',
  '|0\n a\n', '|10\n a\n', '|-2\n   a\n', '|2-\n   a\n', '|\n  a\n b\n', '|\n\n  a\n', '|\n    a\n  b\n',
  '| # c\n  a\n', '>\n  a\n   b\n  c\n', '|\n  # a\n', '|\n\ta\n', '|\n  a\t\n', '|\n  ---\n', '|\n---\n', '|',
  // flow
  '[]', '{}', '[1, 2]', '[1, 2,]', '[,]', '[1,,2]', '{a: 1, b: 2}', '{a: 1,}', '{,}', '{a}', '{a, b: 1}', '{a: }',
  '{"a":1}', '{a:1}', '{"a": 1, "b":2}', '[a: 1]', '[a: 1, b: 2]', '[{a: 1}, [2]]', '{? a : 1}', '{: 1}', '{[1]: 2}',
  '{{a: 1}: 2}', '[\n  1\n  ]', '{\n  a: 1\n  }', '{a: 1\n  , b: 2}', '{\ta: 1}', '{a:\t1}', '[1,\t2]',
  '[a # c\n  ]', '[a#c]', '[a, # c\n  b]', '["a":1]', '[-1]', '[- 1]', '[a b]', '[a\n  b]', '{a b: 1}', '[*x]',
  '{a: *x}', '[[[]]]', '[yes, "yes"]', '{yes: yes}', '{a: {b: {c: 1}}}', '{a::b}', '{a: b: c}', '[%a]', '{%a: 1}',
  '[a, - b]'
]

/** Texts before `: 1`, each alone in a map. */
const KEYS: readonly string[] = [
  'a', '"a"', 'on', 'yes', '"on"', 'n', 'true', '1', '01', '0x10', '1.0', '1.10', '1.5', '0.1', '1e6', '1e5',
  '1234567.5', '1e-5', '0.0001', '123456789.5', '-1.5', '.5', '9007199254740993', '18446744073709551615', '~',
  'null', '', '2026-01-31', '12:30', 'a b', 'a:b', '[1]', '{a: 1}', '? a\n ', '? [a]\n ', '!!str 1', '!!int "1"',
  '&a x', '"<<"', '!!str <<', '\'a b\'', 'a#b', '"a\n  b"', 'a\n  b', 'x'.repeat(1_020), 'x'.repeat(1_025), '"a" b',
  '-', '- a', '-a', '@a', '%a', '日本', '__proto__', 'constructor', '\ta', '"a\\tb"', '1_000', '0o17', '0b11', '=', '.'
]

const HEAD = 'apiVersion: v1\nkind: X\nmetadata: {name: NAME}\n'
const JSON_HEAD = '{"apiVersion": "v1", "kind": "X", "metadata": {"name": "NAME"}'
const FLOW = '{apiVersion: v2, kind: Z, metadata: {name: NAME}}'
const ANCHOR = `${HEAD}a: &a {b: 1, c: 2}\n`

/** Whole texts. */
const TEXTS: readonly string[] = [
  // documents
  '', '# NAME\n', '---\n', '---\n---\n', `---\n${HEAD}`, `${HEAD}---\n`, `${HEAD}---\n${HEAD}a: 2\n`,
  `${HEAD}--- # c\n${HEAD}`, `${HEAD}---\t\n${HEAD}`, `${HEAD}--- a\n${HEAD}`, `--- ${HEAD}`, `${HEAD}---a\n`,
  `${HEAD}--- {a: 1}\n`, `${HEAD}...\n`, `${HEAD}...\n]]]\n`, `${HEAD}...\n${HEAD}a: 1\n`,
  `${HEAD}...\n---\n${HEAD}`, `${HEAD} ---\n`, `${HEAD}a: |\n  x\n---\n  y\n`, `${HEAD}a: |\n  x\n  ---\n  y\n`,
  `${HEAD}a: "x\n---\n  y"\n`, `${HEAD}----\n`, `${HEAD}---\n# only a comment\n---\n${HEAD}`,
  `${HEAD}---\n\n\n---\n${HEAD}`, `${HEAD}---\nnull\n`, `${HEAD}---\n~\n`, `${HEAD}---\nhello\n`,
  `${HEAD}---\n[1]\n`, `${HEAD}---\n{}\n`, `${HEAD}---\n5\n`, `# c\n\n${HEAD}`, `\n\n${HEAD}`, `  # c\n${HEAD}`,
  `${HEAD}# c`, `${HEAD}a: 1`, `---\n---\n${HEAD}`, `# c\n---\n${HEAD}`, '---\n# c\n---\n# d\n', `--- # c\n${HEAD}`,
  `${HEAD}---\n---\n---\n${HEAD}`,
  // directives
  `%YAML 1.1\n---\n${HEAD}`, `%YAML 1.2\n---\n${HEAD}`, `%YAML 2.0\n---\n${HEAD}`, `%TAG ! tag:x\n---\n${HEAD}`,
  `%FOO\n---\n${HEAD}`, `${HEAD}...\n%YAML 1.2\n---\n${HEAD}`, `%\n${HEAD}`, `${HEAD}%a: 1\n`,
  // line ends and marks
  `${HEAD}a: 1\n`.replaceAll('\n', '\r\n'), `${HEAD}a: 1\n`.replaceAll('\n', '\r'),
  `${HEAD}a: |\n  x\n  y\n`.replaceAll('\n', '\r\n'), `${HEAD}---\n${HEAD}a: 1\n`.replaceAll('\n', '\r\n'),
  `${HEAD}a: "x\n  y"\n`.replaceAll('\n', '\r\n'), `\uFEFF${HEAD}`, `\uFEFF---\n${HEAD}`, `\uFEFF# c\n${HEAD}`,
  `${HEAD}---\n\uFEFF${HEAD}`, `${HEAD}a: \uFEFFx\n`, `${HEAD}\uFEFFa: x\n`, `\uFEFF${JSON_HEAD}}`,
  `\uFEFF\uFEFF${HEAD}`, `${HEAD}---\n\uFEFF# c\n${HEAD}`, `${HEAD}# a\u2028b: 1\n`, `${HEAD}# a\u2029b: 1\n`,
  `${HEAD}# a\u0085b: 1\n`, `${HEAD}# a\rb: 1\n`, `${HEAD}a: 1 # c\u2028b: 2\n`, `${HEAD}a: 1\u0085b: 2\n`,
  `${HEAD}a: "x\u2028y"\n`, `${HEAD}a: "# x\u2028y"\n`, `${HEAD}a: |\n  x\u0085  y\n`, `${HEAD}# a\vb: 1\n`,
  `${HEAD}# a\fb: 1\n`,
  // characters
  `${HEAD}a: x\0y\n`, `${HEAD}# \0\n`, `${HEAD}a: x\x7Fy\n`, `${HEAD}# \x7F\n`, `${HEAD}a: "x\x01y"\n`,
  `${HEAD}a: x\x1By\n`, `${HEAD}a: x\u0080y\n`, `${HEAD}a: x\u009Fy\n`, `${HEAD}a: x\u00A0y\n`,
  `${HEAD}a: x\uFFFEy\n`, `${HEAD}a: x\uFFFFy\n`, `${HEAD}a: x\uE000y\n`, `${HEAD}a:\u00A0x\n`,
  `${HEAD}\u00A0a: x\n`, `${HEAD}a: \u{1F600}\n`, `${HEAD}a: x\u200By\n`, `${HEAD}a: x\fy\n`, `${HEAD}a: x\vy\n`,
  `${HEAD}...\n\0\n`,
  // indentation
  `${HEAD}a:\n  b: 1\n c: 2\n`, `${HEAD}a:\n b: 1\n  c: 2\n`, `${HEAD}a:\n\tb: 1\n`, `${HEAD}a:\n  b: 1\n\tc: 2\n`,
  `${HEAD}a:\n- 1\n- 2\n`, `${HEAD}a:\n  - 1\n - 2\n`, `${HEAD}a:\n - 1\n  - 2\n`, `${HEAD}a:\n- b: 1\n  c: 2\n`,
  `${HEAD}a:\n- b: 1\n c: 2\n`, `${HEAD}a:\n- - 1\n  - 2\n`, `${HEAD}a:\n-\n  b: 1\n`, `${HEAD}a:\n-\tb: 1\n`,
  `${HEAD}a:\n-\tb\n`, `${HEAD}a:\n  \t- b\n`, `${HEAD}a: [1,\n\t\n 2]\n`, `${HEAD}a: {\n  b: 1,\n\t\n  c: 2\n  }\n`,
  `${HEAD}a: |\n  x\n\t\n`, `${HEAD}a:\n- \tb\n`, `${HEAD}a: 1\t\n`, `${HEAD}a:\t1\n`, `${HEAD}\t\na: 1\n`,
  `${HEAD}\t# c\na: 1\n`, `${HEAD}a: 1\n\t\nb: 2\n`, `${HEAD}a:\n  b: 1\n\t\n  c: 2\n`, `${HEAD}a: x\n\ty\n`,
  `${HEAD}a:\n  - b\n  c: 1\n`, `${HEAD}a\n`, `${HEAD}a\nb: 1\n`, `${HEAD}a: b: c\n`, `${HEAD}a: - b\n`,
  `${HEAD}a: 'b': c\n`, `${HEAD}a: {b: 1}: 2\n`, `${HEAD}a: 1\n b: 2\n`, `${HEAD}a:\n  b\n  c\n`,
  `${HEAD}a:\n  b\nc: 1\n`, `${HEAD}a: |\n  x\n y: 1\n`, `${HEAD} a: 1\n`, ` ${HEAD}`,
  `${HEAD.replaceAll(/^/gm, ' ').trimEnd()}\n`, `${HEAD}a: [\n  1\n]\n`, `${HEAD}a: [\n]\n`, `${HEAD}a: 'x\n y'\n`,
  `${HEAD}a: [1\nb: 2\n`, `${HEAD}a: {b: [1}\n`, `${HEAD}a: "x\n`, `${HEAD}a: [1, 2]]\n`, `${HEAD}a: {b: 1}}\n`,
  `${HEAD}? a\n: 1\n`, `${HEAD}? a\n`, `${HEAD}? a\n? b\n`, `${HEAD}? |\n  a\n: 1\n`, `${HEAD}: 1\n`,
  `${HEAD}a: !!str\nb: 1\n`, `${HEAD}"a": 1\n'b': 2\n`, `${HEAD}a:    1\n`, `${HEAD}a   : 1\n`, `${HEAD}a: 1  # c\n`,
  `${HEAD}a: # c\n  1\n`, `${HEAD}a: # c\n  b: 1\n`, `${HEAD}a:# c\n`, `${HEAD}- a\n`,
  `${HEAD}a:\n  # c\n  b: 1\n# d\n  c: 2\n`, `${HEAD}a: &x\n  b: 1\n`, `${HEAD}a: !!map\n  b: 1\n`,
  `${HEAD}&x a: 1\n`, `${HEAD}a: &x &y 1\n`, `${HEAD}a: !!str !!int 1\n`, `${HEAD}a: &x !!str 1\n`,
  `${HEAD}a: !!str &x 1\n`,
  // brackets over several lines, without spaces in front of each
  `${HEAD}a: [\n1,\n2\n]\n`, `${HEAD}a: {\nb: 1\n}\n`, `${HEAD}a: {\n\tb: 1\n  }\n`, `${HEAD}a: [\n\t1\n  ]\n`,
  `${HEAD}a:\n  - [\n\t1]\n`, `${HEAD}a: {b: 1,\n\t\tc: 2}\n`,
  `${HEAD}a: {\n\t"b": "c",\n\t"d": [\n\t\t1,\n\t\t2\n\t]\n}\n`,
  `${HEAD}a: {\n\tb: "c",\n\td: [\n\t\t1,\n\t\t"2"\n\t]\n}\n`, `${HEAD}a: {\n\tb: 1\n\t}\n`,
  `${HEAD}a: [\n\t1 # c\n\t]\n`, `${HEAD}a: [\n 1\n\t]\n`, `${HEAD}a: [\n 1\n \t]\n`, `${HEAD}a: [\n1\n,\t2]\n`,
  `${HEAD}a:\n  b: [\n1\n ]\n`, `${HEAD}a: [\n\t{}\n\t]\n`, `${HEAD}a: [\n\t# c\n\t1]\n`, `${HEAD}a: [1\n\t# c\n]\n`,
  `${HEAD}a: {\n\tb: 1, # c\n\tc: 2\n}\nd: 3\n`, `${HEAD}a: [\n# c\n1]\n`,
  `${HEAD}a: [ # c\n\t'it''s',\n\t"]\\"", b]\n`, `${HEAD}a: {\n\tb:\n\t1}\n`, `${HEAD}a: {\n\tb\n\tc: 1}\n`,
  `${HEAD}a: [\n\tb\n\tc]\n`, `${HEAD}a: [\n\tb\n\n\tc]\n`, `${HEAD}a: {\n\tb: 1\n`, `${HEAD}a: {\n\tb: 1\nc: 2\n`,
  `${HEAD}a: {\n\tb: 1}\nd: {\n\te: 2}\nf: |\n  {\n  \t[\n`, `${HEAD}a: [\n\tit's, b]\n`, `${HEAD}a: [\n\t- b]\n`,
  `${HEAD}a: {\n\tb: 1}}\n`, `${HEAD}a:\n\t{b: 1}\n`, `${HEAD}a:\n- {\n\tb: 1\n  }\n- {\n\tc: 1\n  }\n`,
  `${HEAD}a: {\n\t? b\n\t: 1}\n`, `${HEAD}a: {b: 1\n,\tc: 2\n}\n`, `${HEAD}a: &x {\n\tb: 1}\nc: *x\n`,
  `${HEAD}a: {\n\tb: 1,\n\t}\n`, `${HEAD}a: [\n]\n`, `${HEAD}a: {\r\n\tb: 1,\r\n\tc: 2\r\n}\r\n`,
  `${HEAD}a: {\n\t<<: {b: 1}}\n`, `${HEAD}a: {\n\tb: 1, c: on}\n`,
  // anchors, aliases, and merge keys
  `${ANCHOR}d: *a\n`, `${ANCHOR}d: {<<: *a}\n`, `${ANCHOR}d: {<<: *a, b: 3}\n`, `${ANCHOR}d: {b: 3, <<: *a}\n`,
  `${HEAD}d: {replicas: 3, <<: {replicas: 1}}\n`, `${HEAD}d: {<<: {replicas: 1}, replicas: 3}\n`,
  `${ANCHOR}e: &e {b: 5, f: 6}\nd: {<<: [*a, *e]}\n`, `${ANCHOR}e: &e {b: 5, f: 6}\nd: {<<: [*e, *a], c: 9}\n`,
  `${ANCHOR}e: &e {b: 5}\nd: {<<: *a, <<: *e}\n`, `${HEAD}d: {<<: 1}\n`, `${HEAD}d: {<<: [1]}\n`,
  `${HEAD}d: {<<: []}\n`, `${HEAD}d: {<<: {}}\n`, `${HEAD}d: {<<: }\n`, `${HEAD}d: {"<<": {a: 1}}\n`,
  `${HEAD}d: {!!merge <<: {a: 1}}\n`, `${HEAD}d: {!!merge x: {a: 1}}\n`, `${HEAD}d: {<<: [{a: 1}, {a: 2, b: 3}]}\n`,
  `${HEAD}<<: {a: 1}\n`, `${HEAD}d: [<<]\n`, `${HEAD}x: &s [1]\nd: {<<: *s}\n`, `${HEAD}d: {<<: [[{a: 1}]]}\n`,
  `${HEAD}d: {<<: {<<: {a: 1}, b: 2}, c: 3}\n`, `${HEAD}a: *b\n`, `${HEAD}a: *b\nc: &b 1\n`, `${HEAD}a: &b [*b]\n`,
  `${HEAD}a: &b {c: *b}\n`, `${HEAD}a: &b 1\nc: &b 2\nd: *b\n`, `${HEAD}a: &b 1\nc: *b\nd: &b 2\ne: *b\n`,
  `${HEAD}a: &b x\n*b : 1\n`, `${HEAD}a: &b x\nc: {*b : 1}\n`, `${HEAD}a: &b [1]\n*b : 1\n`,
  `${HEAD}a: &b {x: &c 1}\nd: &c 2\ne: *b\nf: *c\n`, `${HEAD}a: &b\nc: *b\n`,
  `${HEAD}a: &b 5\nc: [${'*b, '.repeat(120)}]\n`, `${HEAD}a: &b 5\nc: [${'*b, '.repeat(2_000)}]\n`,
  `${HEAD}a: &b [${'1, '.repeat(50)}]\nc: [${'*b, '.repeat(50)}]\n`, `${HEAD}a: *b c\n`, `${HEAD}a: & b\n`,
  `${HEAD}a: *\n`, `${HEAD}a: &b.c 1\nd: *b.c\n`, `${HEAD}a: &b-c 1\nd: *b-c\n`, `${HEAD}a: &é 1\nd: *é\n`,
  `${HEAD}a: &b 1\n---\n${HEAD}c: *b\n`, `${HEAD}a: &b !!int 1\nc: *b\n`, `${HEAD}a: !!str *b\n`,
  `${HEAD}a: &c *b\n`,
  `${HEAD}a: &a [${'x,'.repeat(99)}]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]\n`,
  `${HEAD}a: &a [${'x,'.repeat(9)}]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\n`,
  // lists
  `apiVersion: v1\nkind: List\nitems:\n- ${FLOW}\n- ${FLOW}\n`,
  'apiVersion: v1\nkind: XList\nitems:\n- {metadata: {name: NAME}}\n',
  `apiVersion: v1\nkind: XList\nitems:\n- ${FLOW}\n- metadata: {name: NAME}\n`,
  'apiVersion: v1\nkind: X\nitems:\n- {metadata: {name: NAME}}\n', 'apiVersion: v1\nkind: List\nitems: []\n',
  'apiVersion: v1\nkind: List\nitems: {}\n', 'apiVersion: v1\nkind: List\nitems: [1]\n',
  'apiVersion: v1\nkind: List\nmetadata: {name: NAME}\n', 'apiVersion: v1\nitems: []\n', 'apiVersion: v1\n',
  `${HEAD}a: {items: [1]}\n`, 'apiVersion: v1\nkind: 5\nmetadata: {name: NAME}\n',
  'apiVersion: v1\nkind: ""\nmetadata: {name: NAME}\n',
  // JSON
  `${JSON_HEAD}}`, `\n  ${JSON_HEAD}}\n\n`, `\t${JSON_HEAD}}`, `${JSON_HEAD}}\n${JSON_HEAD}, "a": 1}\n`,
  `${JSON_HEAD}}${JSON_HEAD}}`, `${JSON_HEAD}} ${JSON_HEAD}}`, `${JSON_HEAD}}\n---\n${JSON_HEAD}}`, `${JSON_HEAD},}`,
  `${JSON_HEAD}, "a": [1,]}`, `${JSON_HEAD}} # c`, `# c\n${JSON_HEAD}}`, `# c\n${JSON_HEAD},}`,
  `---\n${JSON_HEAD},}`, `---\n${JSON_HEAD}}\n---\n${JSON_HEAD}}`, `${JSON_HEAD}, "a": '1'}`,
  '{\'apiVersion\': \'v1\', \'kind\': \'X\', \'metadata\': {\'name\': \'NAME\'}}',
  '{apiVersion: v1, kind: X, metadata: {name: NAME}}', `${JSON_HEAD}, "a": "\t"}`, `${JSON_HEAD}, "a": "\n"}`,
  `${JSON_HEAD}, "a": 01}`, `${JSON_HEAD}, "a": +1}`, `${JSON_HEAD}, "a": .5}`, `${JSON_HEAD}, "a": 1.}`,
  `${JSON_HEAD}, "a": NaN}`, `${JSON_HEAD}, "a": yes}`, `${JSON_HEAD}, "a": 1.0, "b": 1e3, "c": -0, "d": 1E400}`,
  `${JSON_HEAD}, "a": 1.0, "b": 1e3, "c": -0}`,
  `${JSON_HEAD}, "a": 9007199254740993, "b": [-9007199254740993]}`, `${JSON_HEAD}, "a": 18446744073709551615}`,
  `${JSON_HEAD}, "a": 12345678901234567890123}`,
  `${JSON_HEAD}, "on": true, "yes": "no"}`, `${JSON_HEAD}, "a": "\\u00e9\\ud83d\\ude00\\/"}`,
  `${JSON_HEAD}, "a": "\\x41"}`, `${JSON_HEAD}, "a": "\\ud83d"}`, `${JSON_HEAD}, "a": "\x7F"}`, JSON_HEAD,
  `${JSON_HEAD}}}`, `${JSON_HEAD}}]`, `${JSON_HEAD}} 1`, `${JSON_HEAD}} [1]`, `${JSON_HEAD}} null`,
  `${JSON_HEAD}, // c\n"a": 1}`, `${JSON_HEAD}, /* c */ "a": 1}`, `${JSON_HEAD}, "a" 1}`, `${JSON_HEAD} "a": 1}`,
  `${JSON_HEAD}, a: 1}`, `${JSON_HEAD}, "a": "}{"}\n${JSON_HEAD}, "b": "\\"}"}`, `[${JSON_HEAD}}]`, '"x"', '{}',
  '{} {}', '{{ .Values.x }}', `{{- if x }}\n${HEAD}{{- end }}\n`, `${HEAD}{{- if x }}\na: 1\n{{- end }}\n`,
  `${HEAD}a: {{ .Values.x }}\n`, `${HEAD}a: {{ .Values.x | quote }}\n`, `${HEAD}a: "{{ .Values.x }}"\n`,
  `${HEAD}---\n${JSON_HEAD}}`, `${JSON_HEAD}}\n${HEAD}`, `${JSON_HEAD}, "items": [{"metadata": {"name": "NAME"}}]}`,
  '{"apiVersion": "v1", "kind": "XList", "items": [{"metadata": {"name": "NAME"}}]}',
  `${JSON_HEAD}, "__proto__": {"a": 1}}`, `${JSON_HEAD}, "": 1}`, '{"apiVersion": "v1"\u00A0}',
  `\u00A0${JSON_HEAD}}`, `\u2028${JSON_HEAD}}`, `\f${JSON_HEAD}}`
]

/** What kubectl reads and the product refuses, by reason. NAME stands for the name of each object. */
export const REFUSED_BESIDE_KUBECTL: Readonly<Record<string, readonly string[]>> = {
  'duplicate keys: kubectl keeps one of the two, unseen': [
    `${HEAD}a: 1\na: 2\n`, `${HEAD}a: 1\n"a": 2\n`, `${HEAD}on: 1\ntrue: 2\n`, `${JSON_HEAD}, "a": 1, "a": 2}`
  ],
  'texts in quotes over several lines, without spaces in front of each': [
    `${HEAD}a: "x\ny"\n`, `${HEAD}a: "x\n\t\n y"\n`, `${HEAD}a: 'x\u0085y'\n`, `${HEAD}a: {\n\tb: "x\n\ty"}\n`
  ],
  'a question mark in brackets, which kubectl takes for the mark of a key': [`${HEAD}a: [?x]\n`, `${HEAD}a: {?a: 1}\n`],
  'keys that are infinite or not a number': [
    `${HEAD}a: {.inf: 1}\n`, `${HEAD}a: {-.inf: 1}\n`, `${HEAD}a: {.nan: 1}\n`, `${HEAD}a: {1e100: 1}\n`
  ],
  'an alias right before a colon': [`${HEAD}a: &b x\nc: {*b: 1}\n`],
  'a comment right behind | or >': [`${HEAD}a: |#c\n  x\n`],
  'a line separator (U+2028, U+2029) in a text behind #, or as a whole text': [
    `${HEAD}a: |\n  # x\u2028  y\n`, `${HEAD}a: \u2028\n`
  ]
}

/** The bytes of files: NAME stands for the name of each object. */
export const MANIFEST_CASES: readonly Uint8Array[] = [
  ...SCALARS.map((scalar) => `${HEAD}v: ${scalar}\n`),
  ...KEYS.map((key) => `${HEAD}v:\n  ${key}: 1\n`),
  ...KEYS.map((key) => `${HEAD}v: {${key}: 1}\n`),
  ...TEXTS
].map((text) => Buffer.from(text)).concat(
  Buffer.from(`\uFEFF${HEAD}a: é\n`, 'utf16le'),
  Buffer.from(`\uFEFF${HEAD}a: é\n`, 'utf16le').swap16(),
  Buffer.from(`\uFEFF${JSON_HEAD}, "a": "é"}`, 'utf16le'),
  Buffer.from(`\uFEFF${HEAD}---\n${HEAD}`.replaceAll('\n', '\r\n'), 'utf16le'),
  Buffer.from(`${HEAD}a: x`, 'utf16le'),
  Buffer.concat([Buffer.from(`${HEAD}a: x`), Buffer.from([0xff, 0x0a])]),
  Buffer.concat([Buffer.from(`${HEAD}# `), Buffer.from([0xc3, 0x28, 0x0a])])
)
