// What templates may do, what they may not, and that the worst of them ends soon.
import { describe, expect, test } from "vitest"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { renderTemplate, strftime } from "./jinja.js"

const variables = { messages: [{ role: "user", content: " hi " }] }
const render = (template: string) => renderTemplate(template, variables, {}, new Date(2025, 0, 9))

describe("honest templates", () => {
  const honest: [string, string][] = [
    ["{% for m in messages %}[{{ m.role }}] {{ m['content'] | trim }}{% endfor %}", "[user] hi"],
    ["{{ strftime_now('%d %b %Y') }}", "09 Jan 2025"],
    ["{% if nothing is defined %}a{% else %}b{% endif %}", "b"],
    ["{% if strftime_now is defined %}a{% endif %}", "a"],
    ["{% for i in range(3) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"],
    ["{% for i in range(9, 0, -3) %}{{ i }},{% endfor %}", "9,6,3,"],
    ["{% set n = namespace(a=1) %}{% for i in range(3) %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}", "4"],
    ["{% macro f(x, y='d') %}<{{ x }}{{ y }}>{% endmacro %}{{ f(1) }}{{ f(2, y=3) }}", "<1d><23>"],
    ["{% macro f() %}({{ caller() }}){% endmacro %}{% call f() %}in{% endcall %}", "(in)"],
    ["{% macro f() %}{{ kwargs.k }}{{ varargs | length }}{% endmacro %}{{ f(1, k=2) }}", "21"],
    ["{{ {'a': [1, 'é', none, true]} | tojson }}", '{"a": [1, "é", null, true]}'],
    ["{{ [{'a': 1}] | tojson(indent=2) }}", '[\n  {\n    "a": 1\n  }\n]'],
    ["{{ 'a,b'.split(',')[-1] }}{{ 'abc'[1:] }}{{ 'abc'[::-1] }}", "bbccba"],
    ["{{ 'x-y' | replace('-', '+') | upper }}{{ ['a', 'b'] | join('/') }}", "X+Ya/b"],
    ["{% filter upper %}abc{% endfilter %}", "ABC"],
    ["{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"],
    ["{{ messages | map(attribute='role') | join }}", "user"],
    [
      "{% for k, v in {'a': 1} | dictsort %}{{ k }}{{ v }}{% endfor %}{% for k in {'z': 1} %}{{ k }}{% endfor %}",
      "a1z",
    ],
    ["{{ 'content' in messages[0] }}{{ 'x' not in 'abc' }}{{ 2 in [1, 2] }}", "truetruetrue"],
    ["{{ messages[0].get('none', 'd') }}{{ nothing | default('e') }}", "de"],
    ["{% set a %}x{{ 1 }}{% endset %}{{ a ~ 'y' }}", "x1y"],
    ["{{ [1, 2] }}{{ {'a': 'b'} }}{{ 1.0 }}", '[1, 2]{"a": "b"}1.0'],
    ["{% for m in messages if m.role == 'user' %}u{% else %}none{% endfor %}", "u"],
    ["{% for m in messages if m.role == 'x' %}u{% else %}none{% endfor %}", "none"],
    ["{{ (1 if messages else 2) ~ (messages[0]['content'].strip() or 'empty') }}", "1hi"],
    ["{{ ['a', 'b', 'c'] | reject('equalto', 'b') | join(',') }}", "a,c"],
    ["{{ [1, 2, 3] | select('odd') | list }}", "[1, 3]"],
    ["{# a comment #}{{- '  a' -}}  b", "  ab"],
  ]
  for (const [template, text] of honest) test(template, () => expect(render(template)).toBe(text))

  test("a long conversation with a busy template stays within the budget", () => {
    const messages = Array.from({ length: 1000 }, (_, i) => ({
      role: i % 2 === 0 ? "user" : "assistant",
      content: `${i} `.repeat(150),
    }))
    const template = `{% for m in messages %}{% set last = loop.index0 == messages | length - 1 %}
      {%- if '</think>' in m.content %}{% set c = m.content.split('</think>')[-1] %}{% else %}{% set c = m.content %}{% endif %}
      {%- if m.role == 'user' and not last %}<{{ c | trim }}>{% elif m.role == 'assistant' %}({{ c | trim | replace('q', 'k') }})
      {%- else %}{{ raise_exception('role') }}{% endif %}{% endfor %}`
    expect(() => renderTemplate(template, { messages }, { work: 1e8 })).not.toThrow()
  })
})

test("a refusal of the template is the caller's error, with its words", () => {
  expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow(InvalidOptionError)
  expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow(/roles must alternate/)
})

test("dates are English and those of Python", () => {
  const date = new Date(2024, 6, 26, 15, 4, 5)
  expect(strftime(date, "%A %a %d %B %b %Y %y %m %H:%M:%S %I %p %% %q")).toBe(
    "Friday Fri 26 July Jul 2024 24 07 15:04:05 03 PM % %q",
  )
})

describe("templates that reach for the machine get nothing", () => {
  for (const reach of [
    "messages.__proto__",
    "messages.constructor",
    "''.constructor",
    "messages[0].__proto__",
    "messages[0]['constructor']",
    "range.constructor",
    "range.prototype",
    "globalThis",
    "process",
    "this",
    "loop",
    "self",
    "import",
  ])
    test(reach, () => expect(render(`{{ ${reach} }}`)).toBe(""))
  for (const reach of [
    "''.constructor('x')",
    "messages.map('x')",
    "raise_exception.call('x')",
    "range",
    "range ~ ''",
    "[range] | tojson",
    "[range] | join",
    "{'a': range}",
    "messages.__class__.__mro__()",
  ])
    test(`${reach} is refused`, () => expect(() => render(`{{ ${reach} }}`)).toThrow(InvalidFileError))
})

/** A text of 8 * 2^20 characters in n.s. */
const long =
  "{% set n = namespace(s='aaaaaaaa', l=[]) %}{% for i in range(20) %}{% set n.s = n.s ~ n.s %}{% endfor %}"
const often = (body: string) =>
  `{% for i in range(99999) %}{% for j in range(999) %}${body}{% endfor %}{% endfor %}`
const doubled = (use: string) =>
  `{% set n = namespace(s=['x']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}${use}`

describe("hostile templates end soon with a typed error", () => {
  const hostile: Record<string, string> = {
    "an endless range": "{% for i in range(1000000000) %}x{% endfor %}",
    "a range of texts": "{{ range('', 'b', 'a') }}",
    "nested loops": often(""),
    "nested loops with work": often("{{ messages[0].content }}"),
    "unknown names": often("{{ nothing }}"),
    "loops that go on": often("{% continue %}"),
    "a text that doubles": often("{% set n = namespace(s='x') %}").replace("{% set", `${long}${long}{% set`),
    "a text that doubles without end": long.replace("range(20)", "range(999)"),
    "a list that doubles":
      "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "a shared list to JSON": doubled("{{ n.s | tojson }}"),
    "a shared list written out": doubled("{{ n.s }}"),
    "a shared list compared": doubled("{{ n.s == 'x' }}"),
    "a shared list joined": doubled("{{ n.s ~ '' }}"),
    "a namespace in itself": "{% set n = namespace() %}{% set n.a = n %}{{ n | tojson }}",
    "a macro in itself": "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "replacing each letter by the whole": `${long}{{ n.s.replace('a', n.s) }}`,
    "the filter that replaces": `${long}{{ n.s | replace('a', n.s) }}`,
    "a search that nearly matches": `${long}{{ (n.s[1:4000000] ~ 'b') in n.s }}`,
    "splitting into letters": `${long}${often("{% set x = n.s.split('a') %}")}`,
    "keeping long texts": `${long}${often("{% set n.l = n.l + [n.s | upper] %}")}`,
    "keeping long slices": `${long}${often("{% set n.l = n.l + [n.s[1:]] %}")}`,
    "long keys": `${long}${often("{% set x = {n.s ~ 'b': 1} %}")}`,
    "sorting long texts": `${long}{{ [n.s, n.s ~ 'b', n.s] | sort }}`,
    "a wide indent": "{{ 'a\\nb' | indent(1000000000) }}",
    "a wide JSON indent": "{{ [1, 2] | tojson(indent=100000000) }}",
    "long separators": `${long}{{ range(99999) | join(n.s) }}`,
    "a method kept for later": "{% set f = 'x'.replace %}{{ f('a', 'b') }}",
    "namespace under another name": "{% set f = namespace %}{{ f(['ab']) }}",
    "namespace of long texts": `${long}${often("{{ namespace([n.s]) }}")}`,
    "a call block of range": `{% call range(1000) %}{% endcall %}`,
    "macros defined again and again": often(`{% macro f() %}${"{{ a }}".repeat(9000)}{% endmacro %}`),
    "formats of dates": often("{{ strftime_now('%Y') }}"),
    "open parentheses": `{{ ${"(".repeat(100_000)}`,
    "open conditions": "{% if a %}".repeat(20_000),
    "a long chain": `{{ 'a'${" ~ 'a'".repeat(20_000)} }}`,
    "many signs": `{{ ${"-".repeat(50_000)}1 }}`,
    "much white space": `${" ".repeat(200_000)}{% x %}`,
    "a huge template": "x".repeat(300_000),
    "a filter with an unknown test": "{{ [1] | select('constructor') }}",
    "an unknown filter": "{{ 'a' | center(100000000) }}",
    "an open statement": "{% for",
    "an open list": "{{ [",
    "an open call": "{{ f(",
    "an open comment": "{#",
    "an open string": "{{ 'abc",
    "a stray end": "{% endfor %}",
    "the first of nothing": "{{ ([] | first) ~ 'a' }}",
    "break without a loop": "{% break %}",
  }
  for (const [name, template] of Object.entries(hostile))
    test(name, () => {
      const start = performance.now()
      // a quarter of the default budget, to keep the suite quick
      expect(() => renderTemplate(template, variables, { work: 5e7 })).toThrow(InvalidFileError)
      expect(performance.now() - start).toBeLessThan(8000)
    })

  test("the default budget ends nested loops too", () => {
    expect(() => renderTemplate(often("{{ messages[0].content }}"), variables)).toThrow(
      /more work than is allowed/,
    )
  })
})

test("the budget can be set, and a result that is too long is refused", () => {
  const loop = "{% for i in range(100) %}x{% endfor %}"
  expect(renderTemplate(loop, {})).toBe("x".repeat(100))
  expect(() => renderTemplate(loop, {}, { work: 10_000 })).toThrow(/more work than is allowed/)
  expect(() => renderTemplate(loop, {}, { textLength: 99 })).toThrow(/longer than 99/)
})
