import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { InvalidFileError, ModelNotFoundError, UnsupportedError } from "../errors/index.js"
import { openCheckpoint } from "./disk-folder.js"
import {
  concat,
  f32Bytes,
  ggufBytes,
  ggufEntry,
  ggufInfo,
  llama2cBytes,
  safetensorsBytes,
  smallGguf,
  smallPth,
  smallSafetensors,
  temporaryFolder,
  u32,
  u64,
  utf8,
} from "./samples-fixture.js"

/** A folder with these files. */
function folderOf(files: Readonly<Record<string, Uint8Array | string | object>>): string {
  const folder = temporaryFolder()
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === "string" || content instanceof Uint8Array
    writeFileSync(join(folder, name), raw ? content : JSON.stringify(content))
  }
  return folder
}

const model = llama2cBytes([8, 12, 2, 4, 2, 5, 6])
const text = (value: string) => concat(u64(utf8(value).length), utf8(value))
const gguf = ggufBytes(
  [
    ggufEntry("tokenizer.chat_template", 8, text("{{ x }}")),
    ggufEntry("tokenizer.ggml.tokens", 9, concat(u32(8), u64(1), text("a"))),
  ],
  [ggufInfo("a", [1], 0, 0)],
  f32Bytes(1),
)

describe("what is found", () => {
  test("a Hugging Face folder, and its file", async () => {
    const folder = folderOf({
      "model.safetensors": smallSafetensors(),
      "config.json": { hidden_size: 4 },
      "generation_config.json": { temperature: 0.6 },
      "tokenizer.json": '{"model":{}}',
      "tokenizer_config.json": { chat_template: "{{ messages }}" },
    })
    for (const path of [folder, join(folder, "model.safetensors")]) {
      const found = await openCheckpoint(path)
      expect(found).toMatchObject({
        format: "safetensors",
        path,
        config: { hidden_size: 4 },
        generationConfig: { temperature: 0.6 },
        tokenizer: { kind: "tokenizer.json", text: '{"model":{}}' },
        chatTemplate: "{{ messages }}",
      })
      expect(found.tensors.tensors.has("a")).toBe(true)
      await found.close()
    }
  })

  test("shards, tokenizer.model, a template of its own, links as the hub's cache makes them", async () => {
    const blobs = folderOf({
      abc: safetensorsBytes({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, f32Bytes(3)),
    })
    const folder = folderOf({
      "model.safetensors.index.json": { weight_map: { x: "model-00001-of-00001.safetensors" } },
      "config.json": {},
      "tokenizer.model": "YQ== 0\n",
      "tokenizer_config.json": { chat_template: "old" },
      "chat_template.jinja": "new",
    })
    symlinkSync(join(blobs, "abc"), join(folder, "model-00001-of-00001.safetensors"))
    const found = await openCheckpoint(folder)
    expect(found.tokenizer).toEqual({ kind: "tiktoken", bytes: new Uint8Array(utf8("YQ== 0\n")) })
    expect(found.chatTemplate).toBe("new")
    const value = new Float32Array(1)
    await found.tensors.read("x", 0, new Uint8Array(value.buffer))
    expect(value[0]).toBe(3)
    await found.close()
  })

  test("named templates: the default one", async () => {
    const templates = [
      { name: "tool_use", template: "tools" },
      { name: "default", template: "plain" },
    ]
    const folder = folderOf({
      "model.safetensors": smallSafetensors(),
      "config.json": {},
      "tokenizer_config.json": { chat_template: templates },
    })
    const found = await openCheckpoint(folder)
    expect(found.chatTemplate).toBe("plain")
    expect(found.tokenizer).toBeUndefined()
    expect(found.generationConfig).toBeUndefined()
    await found.close()
  })

  test("what the tokenizer was read from can be let go of", async () => {
    const folder = folderOf({
      "model.safetensors": smallSafetensors(),
      "config.json": {},
      "tokenizer.json": { model: {} },
    })
    for (const path of [folder, join(folderOf({ "model.gguf": gguf }), "model.gguf")]) {
      const found = await openCheckpoint(path)
      expect(found.tokenizer).toBeDefined()
      found.dropTokenizer()
      expect(found.tokenizer).toBeUndefined()
      expect(found.tensors.metadata.has("tokenizer.ggml.tokens")).toBe(false)
      expect(found.tensors.tensors.has("a")).toBe(true)
      await found.close()
    }
  })

  test("a Meta folder", async () => {
    const folder = folderOf({
      "consolidated.00.pth": smallPth(),
      "params.json": { dim: 4 },
      "tokenizer.model": "YQ== 0\n",
    })
    const found = await openCheckpoint(folder)
    expect(found).toMatchObject({ format: "pth", config: { dim: 4 }, tokenizer: { kind: "tiktoken" } })
    await found.close()
  })

  test("a GGUF file by name, by content, in a folder", async () => {
    const folder = folderOf({ "model.gguf": gguf, "README.md": "" })
    const blobs = folderOf({ "sha256-0123": gguf })
    for (const path of [folder, join(folder, "model.gguf"), join(blobs, "sha256-0123")]) {
      const found = await openCheckpoint(path)
      expect(found).toMatchObject({
        format: "gguf",
        config: undefined,
        chatTemplate: "{{ x }}",
        tokenizer: { kind: "gguf" },
      })
      await found.close()
    }
  })

  test("a split GGUF, from any of its parts", async () => {
    const part = (number: number) =>
      ggufBytes(
        [ggufEntry("split.no", 2, [number, 0]), ggufEntry("split.count", 2, [2, 0])],
        [ggufInfo(`t${number}`, [1], 0, 0)],
        f32Bytes(number),
      )
    const names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    const folder = folderOf({ [names[0]]: part(0), [names[1]]: part(1) })
    for (const path of [folder, ...names.map((name) => join(folder, name))]) {
      const found = await openCheckpoint(path)
      expect([...found.tensors.tensors.keys()]).toEqual(["t0", "t1"])
      await found.close()
    }
    const half = folderOf({ [names[1]]: part(1) })
    await expect(openCheckpoint(half)).rejects.toThrow(
      /one of 2 parts, of which 1 are missing: m-00001-of-00002/,
    )
  })

  test("llama2.c, with the tokenizer of its vocabulary", async () => {
    const tokenizerOf = async (files: Record<string, string>) => {
      const folder = folderOf({ "stories.bin": model, ...files })
      const found = await openCheckpoint(folder)
      await found.close()
      return found.tokenizer?.kind === "llama2c" ? new TextDecoder().decode(found.tokenizer.bytes) : undefined
    }
    expect(await tokenizerOf({})).toBeUndefined()
    expect(await tokenizerOf({ "tok9.bin": "9" })).toBe("9")
    expect(await tokenizerOf({ "tok9.bin": "9", "tokenizer.bin": "t" })).toBe("t")
    expect(await tokenizerOf({ "tok5.bin": "5", "tok9.bin": "9", "tokenizer.bin": "t" })).toBe("5")
    await expect(tokenizerOf({ "tok8.bin": "8", "tok9.bin": "9" })).rejects.toThrow(/tok8\.bin, tok9\.bin/)
  })

  test("the shared references", async (context) => {
    const path = fileURLToPath(new URL("../../../shared/reference/stories260K", import.meta.url))
    if (!existsSync(path)) return context.skip("../shared/reference/stories260K is not here")
    const found = await openCheckpoint(path)
    expect(found).toMatchObject({ format: "llama2c", tokenizer: { kind: "llama2c", vocabularySize: 512 } })
    await found.close()
  })
})

describe("what is refused", () => {
  const refused = (files: Parameters<typeof folderOf>[0], name = "") =>
    openCheckpoint(join(folderOf(files), name))

  test("nothing there", async () => {
    await expect(openCheckpoint("/no/such/model")).rejects.toThrow(ModelNotFoundError)
    await expect(refused({})).rejects.toThrow(/looked for model\.safetensors.*found nothing/)
    await expect(refused({ "a.txt": "" })).rejects.toThrow(/found a\.txt/)
    await expect(refused({ "a.txt": "hello, this is no model at all" }, "a.txt")).rejects.toThrow(
      /not a model that Cria knows/,
    )
    await expect(refused({ empty: "" }, "empty")).rejects.toThrow(InvalidFileError)
  })

  test("several models, or half of one", async () => {
    const both = { "a.gguf": gguf, "b.gguf": smallGguf() }
    await expect(refused(both)).rejects.toThrow(/holds 2 models: pass the path.*\(a\.gguf, b\.gguf\)/)
    await expect(refused({ "a.gguf": gguf, "stories.bin": model })).rejects.toThrow(UnsupportedError)
    await expect(refused({ "model.safetensors": smallSafetensors() })).rejects.toThrow(
      /needs the config\.json/,
    )
    await expect(refused({ "consolidated.00.pth": smallPth() })).rejects.toThrow(/needs the params\.json/)
    await expect(
      refused({ "consolidated.00.pth": smallPth(), "consolidated.01.pth": smallPth(), "params.json": {} }),
    ).rejects.toThrow(/2 shards of a model-parallel checkpoint/)
    await expect(refused({ "model-00001-of-00002.safetensors": "", "config.json": {} })).rejects.toThrow(
      /index\.json: fetch/,
    )
    await expect(refused({ "pytorch_model.bin": "" })).rejects.toThrow(/safetensors version/)
  })

  test("an index that points out of the folder", async () => {
    const outside = folderOf({ "x.safetensors": smallSafetensors() })
    const folder = folderOf({
      "config.json": {},
      "model.safetensors.index.json": {
        weight_map: { a: `../${outside.slice(dirname(outside).length + 1)}/x.safetensors` },
      },
    })
    await expect(openCheckpoint(folder)).rejects.toThrow(/plain name/)
    const cyclic = {
      "config.json": {},
      "model.safetensors.index.json": { weight_map: { a: "model.safetensors.index.json" } },
    }
    await expect(refused(cyclic)).rejects.toThrow(/plain name/)
    const missing = {
      "config.json": {},
      "model.safetensors.index.json": { weight_map: { a: "b.safetensors" } },
    }
    await expect(refused(missing)).rejects.toThrow(/b\.safetensors does not exist/)
  })

  test("companions that are damaged or of the wrong kind", async () => {
    const good = { "model.safetensors": smallSafetensors() }
    await expect(refused({ ...good, "config.json": "{" })).rejects.toThrow(/config\.json is not valid JSON/)
    await expect(refused({ ...good, "config.json": "[]" })).rejects.toThrow(/must be a JSON object/)
    await expect(refused({ ...good, "config.json": '{"a":1,"a":2}' })).rejects.toThrow(/key a twice/)
    await expect(
      refused({ ...good, "config.json": {}, "tokenizer.json": new Uint8Array([255]) }),
    ).rejects.toThrow(/UTF-8/)
    const folder = folderOf(good)
    mkdirSync(join(folder, "config.json"))
    await expect(openCheckpoint(folder)).rejects.toThrow(/not a regular file/)
    await expect(openCheckpoint(join(folder, "config.json"))).rejects.toThrow(ModelNotFoundError)
  })
})

test("the parsers that pages import need nothing of Node", () => {
  const seen = new Set<string>()
  const visit = (file: URL): void => {
    if (seen.has(file.href)) return
    seen.add(file.href)
    const source = readFileSync(file, "utf8")
    expect(source, file.pathname).not.toMatch(/from "node:|\bBuffer\b|\bprocess\./)
    for (const [, target] of source.matchAll(/from "(\.[^"]+)\.js"/g)) visit(new URL(`${target}.ts`, file))
  }
  visit(new URL("./index.ts", import.meta.url))
  expect(seen.size).toBeGreaterThan(15)
})
