// The packed cache: a second start gives the same model without its files, and nothing that is stale, damaged or
// another's is believed.
import { randomBytes } from "node:crypto"
import { mkdtemp, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { nativeAbsence } from "#cria/backends/index"
import { Llama } from "#cria/engine/llama"
import { loadFound } from "#cria/engine/load-model"
import { engineOptions } from "#cria/engine/load-options"
import { localLink } from "#cria/engine/local-link"
import { packedStore } from "#cria/engine/packed-store"
import { openCheckpoint } from "#cria/formats/node"
import { packedFilesOf, removePacked } from "#cria/hub/index"
import { tinyLlama2c } from "./tiny-llama2c.js"

const absence = await nativeAbsence()
if (absence !== undefined) test.skip(`native backend: ${absence}`, () => {})

let folder: string
let model: string
const cacheBefore = process.env["XDG_CACHE_HOME"]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-packed-"))
  model = join(folder, "model")
  const tiny = await tinyLlama2c(64)
  await rename(tiny.path, model)
  process.env["XDG_CACHE_HOME"] = join(folder, "cache")
})
afterEach(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"]
  else process.env["XDG_CACHE_HOME"] = cacheBefore
  await rm(folder, { recursive: true, force: true })
})

/** Loads the model and computes with it; `opened` says whether its own files were read. */
async function start(options: object = {}) {
  let opened = false
  const found = {
    open: () => {
      opened = true
      return openCheckpoint(model)
    },
    packed: packedStore(model, 0),
  }
  const settings = engineOptions.parse({ backend: "native", threads: 2, ...options })
  const llama = await Llama.open(localLink((hooks) => loadFound(found, settings, hooks)))
  const logits = await llama.logits(Int32Array.of(1, 5, 9, 2, 77, 30, 11))
  const { info, tokenizer, config } = llama
  const ids = tokenizer.encode("Grüße, they've 1234 llamas\n\n<|eot_id|>")
  await llama.dispose()
  return { opened, logits, info, config, ids }
}

const files = async () => (await packedFilesOf(model)).map(({ path }) => path)

describe.skipIf(absence !== undefined)("packed cache", () => {
  test.each(["auto", "int8-channel"])(
    "a second start with weights %s is the same, without the model's files",
    async (weights) => {
      const first = await start({ weights })
      expect(first.opened).toBe(true)
      const second = await start({ weights })
      expect(second).toEqual({ ...first, opened: false })
    },
  )

  test("each kind of weights has a file of its own, beside the model", async () => {
    await start()
    await start({ weights: "int8-channel" })
    const names = (await files()).map((path) => path.slice(model.length))
    expect(names).toHaveLength(2)
    expect(names.every((name) => name.startsWith("/.cria/model."))).toBe(true)
    expect((await start()).opened).toBe(false)
  })

  test("packedCache: false neither reads nor writes", async () => {
    await start({ packedCache: false })
    expect(await files()).toEqual([])
    await start()
    expect((await start({ packedCache: false })).opened).toBe(true)
  })

  test("a model that changed is loaded anew, and kept anew", async () => {
    const { logits } = await start()
    const later = new Date(Date.now() + 5000)
    await utimes(join(model, "model.bin"), later, later)
    const again = await start()
    expect(again).toMatchObject({ opened: true, logits })
    expect((await start()).opened).toBe(false)
    await writeFile(join(model, "generation_config.json"), "{}")
    expect((await start()).opened).toBe(true)
  })

  test("a damaged file is not believed, wherever the damage is, and made again", async () => {
    const { logits } = await start()
    const [path] = await files()
    const whole = await readFile(path)
    const { size } = await stat(path)
    const places = [
      0,
      17,
      30,
      70,
      500,
      5000,
      ...Array.from({ length: 20 }, (_, i) => Math.floor(((i + 0.5) / 20) * size)),
      size - 1,
    ]
    for (const place of places) {
      // Bytes between sections are not read, so they may be what they want.
      const padding = whole.subarray(place, place + 8).every((byte) => byte === 0)
      const file = await open(path, "r+")
      await file.write(Uint8Array.of(whole[place] ^ 16), 0, 1, place)
      await file.close()
      const outcome = await start()
      expect(outcome.logits, `byte ${place} of ${size}`).toEqual(logits)
      if (!padding) expect(outcome.opened, `byte ${place} of ${size}`).toBe(true)
      await writeFile(path, whole)
    }
    for (const other of [
      whole.subarray(0, size - 1),
      whole.subarray(0, 100),
      Buffer.concat([whole, Buffer.alloc(64)]),
      Buffer.alloc(0),
      randomBytes(10_000),
    ]) {
      await writeFile(path, other)
      expect(await start()).toMatchObject({ opened: true, logits })
      expect((await start()).opened).toBe(false)
    }
  }, 120_000)

  test("a file that another user's Cria made is not believed", async () => {
    await start()
    const [path] = await files()
    const foreign = await readFile(path)
    process.env["XDG_CACHE_HOME"] = join(folder, "other")
    expect((await start()).opened).toBe(true)
    expect((await start()).opened).toBe(false)
    await writeFile(path, foreign)
    expect((await start()).opened).toBe(true)
  })

  test("where the model's folder cannot be written, the user's cache folder is", async () => {
    await writeFile(join(model, ".cria"), "in the way")
    await start()
    const [path] = await files()
    expect(path.startsWith(join(folder, "cache", "cria", "packed"))).toBe(true)
    expect((await start()).opened).toBe(false)
  })

  test("removing takes all of them, and their folder", async () => {
    await start()
    const [path] = await files()
    await writeFile(`${path}.1-abc.tmp`, "unfinished")
    const { size } = await stat(path)
    expect(await removePacked(model)).toBe(size + "unfinished".length)
    expect(await readdir(model)).not.toContain(".cria")
    expect((await start()).opened).toBe(true)
  })
})
