import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { gzipSync } from "node:zlib"
import { beforeAll, expect, onTestFinished, test } from "vitest"
import { CriaError, InvalidFileError, InvalidOptionError } from "../errors/index.js"
import type { ExampleKind, ExampleOf } from "./example.js"
import { dataFiles, readExamples, type ReadOptions } from "./read-examples.js"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-data-"))
  return () => rm(folder, { recursive: true })
})

async function read<Kind extends ExampleKind>(
  kind: Kind,
  name: string,
  content: string | Uint8Array,
  options: ReadOptions = {},
): Promise<ExampleOf[Kind][]> {
  const path = join(folder, name)
  await writeFile(path, content)
  const examples: ExampleOf[Kind][] = []
  for await (const example of readExamples(kind, await dataFiles([path]), options)) examples.push(example)
  return examples
}

const json = (...objects: unknown[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join("")

test("documents stand between separator lines, plain or packed, with any line ends", async () => {
  const text = "one\ntwo\n<|doc|>\n\n  \n<|doc|>\nthree <|doc|> of it\n<|doc|>\nfour"
  const expected = ["one\ntwo", "three <|doc|> of it", "four"]
  for (const [name, bytes] of [
    ["a.txt", text],
    ["b.txt", text.replaceAll("\n", "\r\n")],
    ["c.txt.gz", gzipSync(text)],
    ["d.txt.gz", Buffer.concat([gzipSync(text.slice(0, 10)), gzipSync(text.slice(10))])],
  ] as const) {
    const examples = await read("text", name, bytes)
    expect(examples.map((example) => example.text)).toEqual(expected)
    expect(examples.map(({ document }) => document)).toEqual([0, 1, 2])
    expect(examples.map(({ place }) => place.line)).toEqual([1, 7, 9])
  }
})

test("another separator, or a document a line", async () => {
  const of = async (options: ReadOptions) =>
    (await read("text", "s.txt", "a\n---\nb\nc\n", options)).map(({ text }) => text)
  expect(await of({ separator: "---" })).toEqual(["a", "b\nc"])
  expect(await of({ separator: "" })).toEqual(["a", "---", "b", "c"])
  expect(await of({})).toEqual(["a\n---\nb\nc"])
})

test("long documents come in parts that make up the whole, also without line ends", async () => {
  for (const line of ["Zeile mit Umlauten äöü 🦙\n", "語🦙"]) {
    const text = line.repeat(Math.ceil(3e6 / Buffer.byteLength(line)))
    const examples = await read("text", "long.txt", `${text}\n<|doc|>\nshort`)
    expect(examples.length).toBeGreaterThan(2)
    expect(Math.max(...examples.map(({ text }) => text.length))).toBeLessThan(1.2 * 2 ** 20)
    expect(examples.at(-1)).toMatchObject({ text: "short", document: 1, continues: false })
    const parts = examples.slice(0, -1)
    expect(parts.map(({ text }) => text).join("") === text).toBe(true)
    expect(parts.map(({ continues }) => continues)).toEqual(parts.map((_, i) => i > 0))
    expect(new Set(parts.map(({ document }) => document))).toEqual(new Set([0]))
  }
})

test("texts in a field of JSON lines", async () => {
  const lines = json({ text: "one", url: "x" }, { text: "" }, { text: "🦙".repeat(700_000) })
  const examples = await read("text", "t.jsonl.gz", gzipSync(lines))
  expect(examples[0]).toMatchObject({ text: "one", document: 0, place: { line: 1 } })
  expect(
    examples
      .slice(1)
      .map(({ text }) => text)
      .join(""),
  ).toBe("🦙".repeat(700_000))
  expect(examples[1].text.at(-1)).not.toMatch(/[\ud800-\udbff]$/)
  expect(examples.slice(1).map(({ document }) => document)).toEqual(examples.slice(1).map(() => 1))
  expect(await read("text", "t.jsonl", json({ body: "x" }), { field: "body" })).toHaveLength(1)
  await expect(read("text", "t.jsonl", json({ text: "x" }, { body: "x" }))).rejects.toThrow(
    /t\.jsonl:2: the field "text" is missing/,
  )
})

test("conversations in the common shapes are the same conversation", async () => {
  const system = { role: "system", content: "Be brief." }
  const user = { role: "user", content: "Hi" }
  const assistant = { role: "assistant", content: "Hello" }
  const shapes = [
    { messages: [system, user, assistant] },
    {
      system: "Be brief.",
      conversations: [
        { from: "human", value: "Hi" },
        { from: "gpt", value: "Hello" },
      ],
    },
    {
      conversations: [
        { from: "system", value: "Be brief." },
        { from: "user", value: "Hi" },
        { from: "assistant", value: "Hello" },
      ],
    },
    { system: "Be brief.", instruction: "Hi", input: "", output: "Hello" },
    { prompt: [system, user], completion: [assistant] },
    { system: "Be brief.", prompt: "Hi", completion: "Hello" },
    { system: "Be brief.", question: "Hi", answer: "Hello" },
  ]
  for (const example of await read("chat", "c.jsonl", json(...shapes)))
    expect(example.messages).toEqual([system, user, assistant])
  const [alpaca] = await read(
    "chat",
    "a.jsonl",
    json({ instruction: "Shorten.", input: "A long text.", output: "Text.", history: [["a", "b"]] }),
  )
  expect(alpaca.messages.map(({ content }) => content)).toEqual([
    "a",
    "b",
    "Shorten.\n\nA long text.",
    "Text.",
  ])
})

test("tool calls as OpenAI, ShareGPT and we write them", async () => {
  const call = { name: "weather", arguments: { city: "Graz" } }
  const text = JSON.stringify(call.arguments)
  const tools = [
    { type: "function", function: { name: "weather", description: "", parameters: { type: "object" } } },
  ]
  const user = { role: "user", content: "?" }
  const answer = { role: "assistant", content: "Rain." }
  const examples = await read(
    "chat",
    "tools.jsonl",
    json(
      {
        tools,
        messages: [
          user,
          {
            role: "assistant",
            content: null,
            tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: text } }],
          },
          { role: "tool", tool_call_id: "1", content: "rain" },
          answer,
        ],
      },
      {
        tools: JSON.stringify(tools),
        conversations: [
          { from: "human", value: "?" },
          { from: "function_call", value: JSON.stringify(call) },
          { from: "observation", value: "rain" },
          { from: "gpt", value: "Rain." },
        ],
      },
      {
        tools,
        messages: [user, { role: "assistant", toolCalls: [call] }, { role: "tool", content: "rain" }, answer],
      },
    ),
  )
  for (const example of examples) {
    expect(example.tools).toEqual(tools)
    expect(example.messages[1]).toMatchObject({ role: "assistant", toolCalls: [call] })
    expect(example.messages[2]).toMatchObject({ role: "tool", content: "rain" })
  }
})

test("preferences in the common shapes are the same preference", async () => {
  const user = { role: "user", content: "Hi" }
  const [good, bad] = [
    { role: "assistant", content: "Hello" },
    { role: "assistant", content: "Go away" },
  ]
  const shapes = [
    { prompt: "Hi", chosen: "Hello", rejected: "Go away" },
    { prompt: [user], chosen: [good], rejected: [bad] },
    { prompt: "Hi", chosen: [user, good], rejected: [user, bad] },
    { chosen: [user, good], rejected: [user, bad] },
    {
      conversations: [{ from: "human", value: "Hi" }],
      chosen: { from: "gpt", value: "Hello" },
      rejected: { from: "gpt", value: "Go away" },
    },
    { instruction: "Hi", input: "", chosen: "Hello", rejected: "Go away" },
  ]
  for (const example of await read("preference", "p.jsonl", json(...shapes)))
    expect(example).toMatchObject({ messages: [user], chosen: [good], rejected: [bad] })
})

test("what is wrong is told with file and line", async () => {
  const good = { prompt: "a", completion: "b" }
  const cases: [unknown, RegExp][] = [
    [{ text: "x" }, /:2: no conversation found, expected \{"messages"/],
    [{ messages: [{ role: "user", content: "x" }] }, /:2: there is no turn of the assistant/],
    [{ messages: [{ role: "wizard", content: "x" }] }, /:2: messages\[0\]: the role "wizard" is unknown/],
    [
      {
        messages: [
          { role: "user", content: 5 },
          { role: "assistant", content: "x" },
        ],
      },
      /:2: messages\[0\]/,
    ],
    [{ messages: "x" }, /:2: there is no turn of the assistant/],
    [{ messages: [5] }, /:2: messages\[0\] is not an object/],
    [{ ...good, tools: "{" }, /:2: tools: "\{" is not JSON/],
    [{ ...good, tools: [{ name: "no such name" }] }, /:2: tools\[0\]/],
    [
      { ...good, history: [["a"]], prompt: undefined, instruction: "b" },
      /:2: history is not a list of pairs/,
    ],
    [
      { messages: [{ role: "assistant", tool_calls: [{ function: { arguments: "{}" } }] }] },
      /:2: messages\[0\]: a tool call has no name/,
    ],
    [[1], /:2 must be a JSON object/],
  ]
  for (const [line, message] of cases)
    await expect(read("chat", "bad.jsonl", json(good, line)), JSON.stringify(line)).rejects.toThrow(message)
  await expect(read("preference", "bad.jsonl", json({ prompt: "a", chosen: "b" }))).rejects.toThrow(
    /:1: no chosen and rejected/,
  )
  await expect(read("preference", "bad.jsonl", json({ chosen: "a", rejected: "b" }))).rejects.toThrow(
    /no prompt/,
  )
  await expect(read("chat", "bad.txt", "x")).rejects.toThrow("is not named .jsonl")
})

test("hostile files end in an error, soon", async () => {
  const valid = json({ prompt: "a", completion: "b" })
  const refused = async (name: string, bytes: string | Uint8Array, message: RegExp) => {
    const kind = name.includes("txt") ? "text" : "chat"
    const error = await read(kind, name, bytes).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(InvalidFileError)
    expect((error as Error).message).toMatch(message)
  }
  await refused("deep.jsonl", valid + "[".repeat(1e6), /deep\.jsonl:2 nests deeper/)
  await refused(
    "deep.jsonl",
    `${valid}{"messages":${'{"a":'.repeat(1e5)}1${"}".repeat(1e5)}}`,
    /:2 nests deeper/,
  )
  await refused("twice.jsonl", '{"prompt":"a","prompt":"b"}', /:1 names the key prompt twice/)
  await refused("cut.jsonl", `${valid}{"prompt":`, /cut\.jsonl:2/)
  await refused("line.jsonl", `${valid}{"prompt":"${"x".repeat(2 ** 24 + 2 ** 20)}`, /:2: the line has over/)
  await refused("latin1.txt", Buffer.from("gut\n\nM\xfcll\n", "latin1"), /latin1\.txt:3: this is not UTF-8/)
  await refused("latin1.jsonl", Buffer.from('{"prompt":"M\xfcll"}', "latin1"), /latin1\.jsonl:1 is not UTF-8/)
  const packed = gzipSync(valid.repeat(2000))
  await refused("cut.jsonl.gz", packed.subarray(0, packed.length - 20), /gzip data is damaged or cut off/)
  await refused("plain.jsonl.gz", valid, /gzip data is damaged/)
  await refused("bomb.txt.gz", gzipSync(new Uint8Array(2 ** 27)), /unpacks to over 200 times its size/)
  const pipe = join(folder, "pipe.txt")
  execFileSync("mkfifo", [pipe])
  await expect(readExamples("text", [{ path: pipe, bytes: 0 }]).next()).rejects.toThrow("not a regular file")
})

test("an aborted read stops, and what was read is told", async () => {
  const path = join(folder, "many.txt")
  await writeFile(path, "line\n<|doc|>\n".repeat(100_000))
  const files = await dataFiles([path])
  let bytes = 0
  const examples = readExamples("text", files, { onRead: (count) => (bytes += count) })
  while (!(await examples.next()).done);
  expect(bytes).toBe(files[0].bytes)
  const signal = AbortSignal.abort(new Error("enough"))
  await expect(readExamples("text", files, { signal }).next()).rejects.toThrow("enough")
})

test("files by folder and by pattern, in order of their names", async () => {
  const own = join(folder, "set")
  await mkdir(own)
  onTestFinished(() => rm(own, { recursive: true }))
  for (const name of ["b.txt.gz", "a.txt", "c.jsonl", "notes.pdf", "+.txt"])
    await writeFile(join(own, name), "x")
  const names = async (path: string) => (await dataFiles([path])).map((file) => basename(file.path))
  expect(await names(own)).toEqual(["+.txt", "a.txt", "b.txt.gz", "c.jsonl"])
  expect(await names(join(own, "*.txt*"))).toEqual(["+.txt", "a.txt", "b.txt.gz"])
  expect(await names(join(own, "+*"))).toEqual(["+.txt"])
  await expect(dataFiles([join(own, "*.csv")])).rejects.toThrow(InvalidOptionError)
  await expect(dataFiles([join(own, "none.txt")])).rejects.toThrow(CriaError)
})
