// What constrained decoding costs: milliseconds a mask over the vocabulary of 128k tokens, for texts under several
// schemas, a regex and a grammar. "first": the first run of all, of code that is not compiled yet; "new": a constraint
// that the engine has not met, though others like it; "known": the second request with it.
// npx tsx bench/constraints.ts        needs ../shared (vocabulary)
import { readFileSync } from "node:fs"
import { Constraint, compileConstraint, type ConstraintOptions, TokenTrie } from "../src/constraints/index.js"
import { Tokenizer } from "../src/tokenizer/index.js"

const file = new URL("../../shared/reference/llama3-tokenizer/tokenizer.model", import.meta.url)
const tokenizer = Tokenizer.fromTiktoken(readFileSync(file))

const string = { type: "string" }
const words =
  'The quick brown fox jumps over the lazy dog, and then \\"some\\" more words follow: 日本語, ещё слова. '
const object = (properties: Record<string, unknown>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const node = object({ label: string, children: { type: "array", items: { $ref: "#/$defs/node" } } })
const fields = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field_${i}`, string]))

const cases: Record<string, [ConstraintOptions, string]> = {
  json_object: [
    { type: "json_object" },
    `{"name": "Ada", "list": [1, 2.5, {"deep": [true, null, "${words.repeat(3)}"]}], "text": "${words.repeat(4)}"}`,
  ],
  contact: [
    {
      type: "json_schema",
      schema: object({
        name: string,
        email: { type: "string", format: "email" },
        age: { type: "integer", minimum: 0, maximum: 130 },
        plan: { enum: ["free", "pro", "enterprise"] },
        tags: { type: "array", items: string, maxItems: 8 },
      }),
    },
    `{"name": "Ada Lovelace", "email": "ada.lovelace@example.com", "age": 36, "plan": "pro", "tags": ["mathematics", "first programmer"]}`,
  ],
  "20 strings": [
    { type: "json_schema", schema: object(fields) },
    JSON.stringify(
      Object.fromEntries(Object.keys(fields).map((key) => [key, "a few words of an answer"])),
      null,
      2,
    ),
  ],
  "bounded string": [
    { type: "json_schema", schema: object({ summary: { type: "string", minLength: 10, maxLength: 400 } }) },
    `{"summary": "${words.repeat(4)}"}`,
  ],
  patterns: [
    {
      type: "json_schema",
      schema: object({
        id: { type: "string", pattern: "^[A-Z]{3}-\\d{4}$" },
        when: { type: "string", format: "date-time" },
        slug: { type: "string", pattern: "^[a-z0-9]+(?:-[a-z0-9]+)*$", maxLength: 60 },
        price: { type: "number", minimum: 0, exclusiveMaximum: 1000 },
      }),
    },
    `{"id": "ABC-1234", "when": "2026-11-23T17:00:00Z", "slug": "the-quick-brown-fox-jumps-over", "price": 19.99}`,
  ],
  recursive: [
    { type: "json_schema", schema: { $ref: "#/$defs/node", $defs: { node } } },
    `{"label": "root of it", "children": [{"label": "one", "children": []}, {"label": "two", "children": [{"label": "deep", "children": []}]}]}`,
  ],
  regex: [
    { type: "regex", pattern: "(?:[A-Z][a-z]+ ){2,40}[\\p{L} ]+\\." },
    "The Quick Brown Fox Jumps Over The Lazy Dog Again And Again слова.",
  ],
  grammar: [
    {
      type: "grammar",
      grammar: 'root ::= line+\nline ::= "- " word (" " word)* "\\n"\nword ::= [a-zA-Z]+ [,.]?',
    },
    "- The quick brown fox\n- jumps over\n- the lazy dog, and again, and again.\n",
  ],
}

function time(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

const figures = (times: number[]) => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(3)
  return [at(0.5), at(0.99), at(1)].map((text) => text.padStart(8)).join("")
}

let trie!: TokenTrie
console.log(
  `trie of ${tokenizer.size} tokens: ${time(() => (trie = new TokenTrie(tokenizer.serialize().vocabulary))).toFixed(0)} ms, ${trie.size} nodes`,
)
const runs = 7
console.log("milliseconds a mask:".padEnd(34), "median     p99     max")
/** Milliseconds of each mask on the way through the tokens. */
function pass(constraint: Constraint, tokens: readonly number[], name: string): number[] {
  const state = constraint.begin()
  const times = tokens.map((token) => {
    let bits!: Int32Array
    const spent = time(() => (bits = state.allowed()))
    if (((bits[token >>> 5] >>> (token & 31)) & 1) === 0 || !state.accept(token))
      throw new Error(`${name}: ${JSON.stringify(tokenizer.decode([token]))} is not allowed`)
    return spent
  })
  if (!state.mayEnd) throw new Error(`${name}: the text may not end`)
  return times
}

/** Of several runs the least for each token: other processes can only make it slower. */
const least = (all: readonly number[][]) => all[0].map((_, i) => Math.min(...all.map((times) => times[i])))

for (const [name, [options, text]] of Object.entries(cases)) {
  const tokens = tokenizer.encode(text)
  const compiling: number[] = []
  const fresh: number[][] = []
  const known: number[][] = []
  for (let run = 0; run < runs; run++) {
    let constraint!: Constraint
    compiling.push(time(() => (constraint = new Constraint(compileConstraint(options), trie))))
    fresh.push(pass(constraint, tokens, name))
    known.push(pass(constraint, tokens, name))
  }
  const compile = Math.min(...compiling).toFixed(1)
  console.log(
    `${name}, ${tokens.length} tokens`.padEnd(30),
    figures(least(fresh.slice(1))),
    `  compiled in ${compile} ms`,
  )
  console.log("  first".padEnd(30), figures(fresh[0]))
  console.log("  known".padEnd(30), figures(least(known)))
}
