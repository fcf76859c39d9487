import { afterEach, expect, test, vi } from "vitest"
import { resolve } from "node:path"
import { ModelNotFoundError } from "../errors/index.js"
import { resolveSource } from "./source.js"

afterEach(() => {
  vi.unstubAllEnvs()
})

test("a path that exists is the model's, absolute", async () => {
  expect(await resolveSource("src/engine", {})).toBe(resolve("src/engine"))
})

test("the default model is what CRIA_MODEL names, else the one of the package", async () => {
  vi.stubEnv("CRIA_MODEL", "src")
  expect(await resolveSource("default", {})).toBe(resolve("src"))
  vi.stubEnv("CRIA_MODEL", "")
  expect(await resolveSource("default", {})).toBe(resolve("models/default/cria-demo.gguf"))
})

test("what is neither a path nor a hub id is not asked for on the network", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new Error("the network was asked")))
  for (const source of ["./no/such/file.gguf", "/no/such/folder", "", "a b/c d", "no-such-file.gguf"]) {
    const error: unknown = await resolveSource(source, {}).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ModelNotFoundError)
    expect((error as Error).message).toContain("expected a folder, a file, or a hub id")
  }
  vi.unstubAllGlobals()
})
