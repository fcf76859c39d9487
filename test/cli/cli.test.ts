// The command line from outside: what goes to which stream, exit codes, signals, pipes.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeChatModel } from "./chat-model.js"
import { cria, noStories, stories, tinyLlama } from "./run.js"

const story = `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she`

const tell = ["generate", "--model", stories, "--temperature", "0"]

let folder: string
let chatModel: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-cli-"))
  chatModel = await makeChatModel(join(folder, "chat-model"))
})
afterAll(() => rm(folder, { recursive: true }))

describe("generate", () => {
  for (const backend of ["reference", "auto"]) {
    test(`tells the story of the reference model, 200 greedy tokens (${backend})`, async (context) => {
      if (noStories) context.skip(noStories)
      const { code, out, err } = await cria([...tell, "--backend", backend, "--max-tokens", "200"])
      expect(out).toBe(story)
      expect({ code, err }).toEqual({ code: 0, err: "" })
    })
  }

  test("--json gives one object with text, tokens, usage and timings", async (context) => {
    if (noStories) context.skip(noStories)
    const { code, out, err } = await cria([...tell, "--max-tokens", "12", "--json", "--prompt", "Once upon"])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out.trim().split("\n").length).toBe(1)
    const answer = JSON.parse(out)
    expect(story.startsWith(`Once upon${answer.text}`)).toBe(true)
    expect(answer.tokens.length).toBe(12)
    expect(answer).toMatchObject({ finishReason: "length", usage: { promptTokens: 3, completionTokens: 12 } })
    expect(answer.timings.firstTokenMilliseconds).toBeGreaterThan(0)
  })

  test("the prompt comes from the words, --prompt or standard input, without the last newline", async (context) => {
    if (noStories) context.skip(noStories)
    const short = [...tell, "--max-tokens", "3"]
    const runs = await Promise.all([
      cria([...short, "Once", "upon"]),
      cria([...short, "--prompt", "Once upon"]),
      cria(short, { input: "Once upon\n" }),
      cria([...short, "-"], { input: "Once upon" }),
    ])
    for (const { code, out, err } of runs)
      expect({ code, out, err }).toEqual({ code: 0, out: " a time,", err: "" })
  })

  test("closed, empty and silent standard input mean an empty prompt", async (context) => {
    if (noStories) context.skip(noStories)
    const short = [...tell, "--max-tokens", "5"]
    const [none, empty, silent] = await Promise.all([
      cria(short),
      cria(short, { input: "" }),
      cria(short, { silent: true }),
    ])
    expect([none.out, empty.out, silent.out]).toEqual(Array(3).fill("Once upon a time,"))
    expect(none.err + empty.err).toBe("")
    expect(silent.err).toMatch(/Nothing came on standard input/)
    expect(silent.code).toBe(0)
  })

  test("--stop and --seed reach the engine", async (context) => {
    if (noStories) context.skip(noStories)
    const stopped = await cria([...tell, "--stop", " there", "--stop", "never"])
    expect(stopped.out).toBe("Once upon a time,")
    const sampled = () =>
      cria(["generate", "-m", stories, "--temperature", "1.5", "--seed", "7", "--max-tokens", "20", "-p", ""])
    const [first, second] = await Promise.all([sampled(), sampled()])
    expect(first.out).toBe(second.out)
    expect(first.out).not.toBe("")
  })

  test("a reader that leaves ends it quietly", async (context) => {
    if (noStories) context.skip(noStories)
    const { code, err } = await cria([...tell, "--max-tokens", "400"], {
      onOutput: (child) => child.stdout!.destroy(),
    })
    expect({ code, err }).toEqual({ code: 0, err: "" })
  })

  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} ends it at once with ${exitCode} and without a word`, async (context) => {
      if (noStories) context.skip(noStories)
      let sentAt = 0
      const { code, out, err } = await cria([...tell, "--backend", "reference"], {
        onOutput(child) {
          if (sentAt === 0) child.kill(signal)
          sentAt ||= performance.now()
        },
      })
      expect({ code, err }).toEqual({ code: exitCode, err: "" })
      expect(out.length).toBeLessThan(story.length)
      expect(performance.now() - sentAt).toBeLessThan(2000)
    })
  }
})

describe("chat without a terminal", () => {
  const chat = (...more: string[]) => [
    "chat",
    "--model",
    chatModel,
    "--seed",
    "1",
    "--max-tokens",
    "8",
    ...more,
  ]

  test("answers once and leaves, as generate --chat does", async () => {
    const runs = await Promise.all([
      cria(chat(), { input: "Hello\n" }),
      cria(chat("Hello")),
      cria(["generate", "--chat", ...chat("Hello").slice(1)]),
      cria(chat("--system", "Be brief.", "Hello")),
    ])
    for (const { code, out, err } of runs) {
      expect({ code, err }).toEqual({ code: 0, err: "" })
      expect(out).not.toBe("")
    }
    expect(new Set(runs.slice(0, 3).map(({ out }) => out)).size).toBe(1)
    expect(runs[3].out).not.toBe(runs[0].out)
  })

  test("a model that cannot chat says what to do instead", async (context) => {
    if (noStories) context.skip(noStories)
    const { code, out, err } = await cria(["chat", "--model", stories, "Hello"])
    expect({ code, out }).toEqual({ code: 1, out: "" })
    expect(err).toMatch(/^error: this model has no chat format.*cria generate --model .*stories260K/)
  })

  test("nothing to answer is a usage error", async () => {
    const { code, err } = await cria(chat())
    expect(code).toBe(2)
    expect(err).toMatch(/^error: nothing to answer/)
  })
})

describe("tokenize", () => {
  test("text to ids and back", async () => {
    const on = ["tokenize", "--model", chatModel]
    const text = "Grüße <|eot_id|> 日本\n"
    const [json, count, special, lines] = await Promise.all([
      cria([...on, "--json", "--prompt", text]),
      cria([...on, "--count"], { input: text }),
      cria([...on, "--json", "--special", "--bos", "--prompt", text]),
      cria([...on, "--prompt", "日"]),
    ])
    const ids = JSON.parse(json.out) as number[]
    expect(ids.length).toBe(Buffer.byteLength(text)) // a vocabulary without merges
    expect(count.out).toBe(`${ids.length - 1}\n`) // the last newline is not part of a piped text
    expect(JSON.parse(special.out)).toEqual(expect.arrayContaining([0, 4]))
    expect(lines.out).toMatch(/^\d+\t"<E6>"\n\d+\t"<97>"\n\d+\t"<A5>"\n$/)
    const back = await cria([...on, "--decode", "--json", ...ids.map(String)])
    expect(JSON.parse(back.out)).toBe(text)
  })

  test("an id outside the vocabulary is named", async () => {
    const { code, err } = await cria(["tokenize", "--model", chatModel, "--decode", "1", "512"])
    expect(code).toBe(2)
    expect(err).toBe('error: "512" is not a token id: this vocabulary has 0 to 511\n')
  })
})

describe("info", () => {
  test("says what a folder holds and the memory it takes", async () => {
    const { code, out, err } = await cria(["info", tinyLlama])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toMatch(/^Format +safetensors, 29 tensors$/m)
    expect(out).toMatch(/^Attention +4 query heads and 2 key-value heads of 32$/m)
    expect(out).toMatch(/^Positions +theta 500,000, llama3 scaling by 32 beyond 8,192$/m)
    expect(out).not.toContain("\u001b")
  })

  test("--json has the numbers", async () => {
    const { out } = await cria([
      "info",
      tinyLlama,
      "--json",
      "--tensors",
      "--weights",
      "int4",
      "--context-length",
      "1000",
    ])
    const facts = JSON.parse(out)
    expect(facts).toMatchObject({ format: "safetensors", parameters: 619_392, chat: "none" })
    // 2 x 3 layers x 2 heads x 32 values in f16
    expect(facts.memory).toMatchObject({ cacheBytesPerToken: 768, cacheBytes: 768_000, contextLength: 1000 })
    const matrices = 619_392 - 7 * 128
    const table = 512 * 128
    expect(facts.weightsInMemory).toEqual({
      f32: 7 * 128 * 4,
      int8: (table / 32) * 34,
      int4: ((matrices - table) / 32) * 18,
    })
    expect(facts.tensors.length).toBe(29)
  })

  test("without a model it describes the machine", async () => {
    const { code, out } = await cria(["info", "--json", "--backend", "reference"])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      node: process.versions.node,
      backend: { name: "reference", threads: 1 },
    })
  })
})

describe("convert", () => {
  test("to GGUF in 4 bits and back, without leaving anything half", async () => {
    const file = join(folder, "tiny.gguf")
    const made = await cria(["convert", chatModel, file, "--weights", "int4", "--json"])
    expect({ code: made.code, err: made.err }).toEqual({ code: 0, err: "" })
    expect(JSON.parse(made.out)).toMatchObject({ format: "gguf", path: file })

    const again = await cria(["convert", chatModel, file])
    expect(again.code).toBe(1)
    expect(again.err).toMatch(/^error: .*tiny\.gguf exists: choose another name, or add --force\n$/)
    expect((await cria(["convert", chatModel, file, "--force", "--weights", "int8"])).code).toBe(0)
    const { out } = await cria(["info", file, "--json"])
    expect(Object.keys(JSON.parse(out).weightsInFile).toSorted()).toEqual(["f32", "q8_0"])

    const back = join(folder, "back")
    const returned = await cria(["convert", file, back, "--weights", "bf16"])
    expect(returned.err).toMatch(/✓ .*back: 1\.2\d MB of weights/)
    expect((await readdir(back)).toSorted()).toEqual([
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
    ])
    const asked = ["generate", "--temperature", "0", "--max-tokens", "4", "-p", "hello", "--model"]
    const [one, two] = await Promise.all([cria([...asked, file]), cria([...asked, back])])
    expect([one.code, two.code]).toEqual([0, 0])
  })
})

describe("bench", () => {
  test("--json has every measurement on the last line", async () => {
    const flags = "--json --prefill 8,16 --decode 4 --depth 0,32 --streams 3 --backend reference".split(" ")
    const { code, out, err } = await cria(["bench", "--model", chatModel, ...flags])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const result = JSON.parse(out.trim().split("\n").at(-1)!)
    expect(result.prefill.map(({ tokens }: { tokens: number }) => tokens)).toEqual([8, 16])
    expect(result.decode.map(({ depth }: { depth: number }) => depth)).toEqual([0, 32])
    expect(result.streams.streams).toBe(3)
    for (const { tokensPerSecond } of [...result.prefill, ...result.decode, result.streams])
      expect(tokensPerSecond).toBeGreaterThan(0)
    expect(result.loadMilliseconds).toBeGreaterThan(0)
    expect(result.residentBytes).toBeGreaterThan(1e7)
    expect(result.readBandwidth).toBeGreaterThan(1e7)
    expect(result.decode[0].bandwidthShare).toBeGreaterThanOrEqual(0)
  })
})

describe("list and remove", () => {
  test("an empty disk", async () => {
    const [list, json, remove, removeYes] = await Promise.all([
      cria(["list"]),
      cria(["list", "--json"]),
      cria(["remove", "owner/name"]),
      cria(["remove", "owner/name", "--yes"]),
    ])
    expect(list.err).toMatch(/No models on this disk yet/)
    expect(json.out).toBe("[]\n")
    expect({ code: remove.code, err: remove.err }).toEqual({
      code: 2,
      err: "error: removing owner/name needs a yes: run it in a terminal, or add --yes\n",
    })
    expect(removeYes.code).toBe(1)
    expect(removeYes.err).toMatch(/^error: no pulled model "owner\/name"/)
  })

  test("a model in the hub's cache is listed, found by its id, and removed", async () => {
    const home = join(folder, "hub-home")
    const snapshot = join(home, "hub/models--owner--tiny/snapshots", "0".repeat(40))
    await makeChatModel(snapshot)
    await mkdir(join(home, "hub/models--owner--tiny/refs"), { recursive: true })
    await writeFile(join(home, "hub/models--owner--tiny/refs/main"), "0".repeat(40))
    const env = { HF_HOME: home }
    const [list] = JSON.parse((await cria(["list", "--json"], { env })).out)
    expect(list).toMatchObject({ id: "owner/tiny", source: "huggingface", path: snapshot })
    expect((await cria(["list"], { env })).out).toMatch(/owner\/tiny +Hugging Face +2\.\d+ MB/)
    expect((await cria(["info", "owner/tiny"], { env })).code).toBe(0)
    expect((await cria(["info", "owner/tyni"], { env })).err).toMatch(/did you mean owner\/tiny\?/)
    const removed = await cria(["remove", "owner/tiny", "--yes", "--json"], { env })
    expect(JSON.parse(removed.out).bytes).toBeGreaterThan(2e6)
    expect((await cria(["list", "--json"], { env })).out).toBe("[]\n")
  })
})

describe("mistakes get one or two lines that say what to do", () => {
  const cases: [string, string[], number, RegExp][] = [
    [
      "a wrong command line",
      ["genrate"],
      2,
      /^error: unknown command 'genrate'\n\(Did you mean generate\?\)\n$/,
    ],
    ["a model that is not there", ["generate", "--model", "./no-such-folder", "x"], 1, /no-such-folder/],
    ["a hub id that is not here", ["info", "owner/none"], 1, /"cria pull owner\/none" downloads it/],
    ["a bad hub id", ["pull", "../../etc"], 1, /model id/],
  ]
  for (const [what, args, exitCode, message] of cases) {
    test(what, async () => {
      const { code, out, err } = await cria(args)
      expect({ code, out }).toEqual({ code: exitCode, out: "" })
      expect(err).toMatch(message)
      expect(err.startsWith("error: ")).toBe(true)
      expect(err.trim().split("\n").length).toBeLessThanOrEqual(2)
    })
  }

  test("a damaged file", async () => {
    const path = join(folder, "broken.gguf")
    await writeFile(path, "GGUF\u0003\u0000\u0000\u0000\u00ff")
    const { code, err } = await cria(["info", path])
    expect(code).toBe(1)
    expect(err).toMatch(/^error: .*broken\.gguf/)
    const verbose = await cria(["info", path, "--verbose"])
    expect(verbose.err).toMatch(/\n {4}at /)
  })

  test("a context that is too small, with the numbers and the flag", async () => {
    const { code, err } = await cria(["generate", "-m", chatModel, "--context-length", "16", "x".repeat(40)])
    expect(code).toBe(1)
    expect(err).toMatch(/^error: the prompt has 41 tokens, but the context holds 16: .*--context-length\n$/)
  })
})

describe("help", () => {
  test("cria alone, --help and --version go to standard output", async () => {
    const [alone, help, version, nested] = await Promise.all([
      cria([]),
      cria(["--help"]),
      cria(["--version"]),
      cria(["help", "pull"]),
    ])
    for (const { code, err } of [alone, help, version, nested])
      expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(alone.out).toContain("cria chat")
    const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"))
    expect(version.out).toBe(`${manifest.version}\n`)
    expect(nested.out).toContain("$ cria pull")
  })
})
