// Ids and the choice of files: pure rules.
import { expect, test } from "vitest"
import { InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import { chooseFiles } from "./choose-files.js"
import {
  cacheFolderName,
  formatBytes,
  formatModelId,
  isSafeRelativePath,
  parseModelId,
  printable,
  repositoryOfFolder,
} from "./model-id.js"

const choose = (paths: string[], selection?: string, include?: string[]) => {
  const files = paths.map((path) => ({ path, size: 10 }))
  const choice = chooseFiles("o/n", files, selection, include)
  return {
    format: choice.format,
    entry: choice.entry,
    paths: choice.files.map((file) => file.path).toSorted(),
  }
}

test("ids with revision and selection", () => {
  const parsed = (text: string) => {
    const { repository, revision, selection } = parseModelId(text)
    return [repository, revision, selection]
  }
  const instruct = "meta-llama/Llama-3.2-1B-Instruct"
  expect(parsed(instruct)).toEqual([instruct, undefined, undefined])
  expect(parsed("unsloth/x-GGUF:Q4_0")).toEqual(["unsloth/x-GGUF", undefined, "Q4_0"])
  expect(parsed("a/b@refs/pr/1:sub/some-file.gguf")).toEqual(["a/b", "refs/pr/1", "sub/some-file.gguf"])
  expect(parsed("https://huggingface.co/a/b")).toEqual(["a/b", undefined, undefined])
  expect(parsed("hf.co/karpathy/tinyllamas:stories260K")).toEqual([
    "karpathy/tinyllamas",
    undefined,
    "stories260K",
  ])
  for (const text of [instruct, "a/b@v1", "a/b:Q8_0", "a/b@refs/pr/1:x/y.gguf"]) {
    const { repository, revision, selection } = parseModelId(text)
    expect(formatModelId(repository, revision, selection)).toBe(text)
  }
})

test("what is no id is refused with the form that is expected", () => {
  const bad = [
    "",
    "gpt2",
    "/a/b",
    "a/b/c",
    "../b",
    "a/..",
    "a/.",
    "a/b@",
    "a/b:",
    "a/b:../x",
    "a/b:/etc/passwd",
  ]
  bad.push(
    "a/b@../x",
    "a/b@x/../y",
    "a/b:c:d",
    "a\0/b",
    "a/b:\0",
    "a--b/c",
    "-a/b",
    "a/b.git",
    "a/b@-x",
    "a/b:x\\y",
  )
  bad.push(
    "a b/c",
    "a/b\n",
    `a/${"b".repeat(200)}`,
    "a/b:".padEnd(5000, "x"),
    "file:///etc/passwd",
    "C:\\models\\x",
  )
  for (const text of bad) expect(() => parseModelId(text), JSON.stringify(text)).toThrow(InvalidOptionError)
  expect(() => parseModelId("gpt2")).toThrow(/expected owner\/name/)
})

test("paths that stay inside, cache folder names, and words for messages", () => {
  for (const path of ["a", "a/b.c", "..a", "a..", "ü/日本"]) expect(isSafeRelativePath(path), path).toBe(true)
  for (const path of [
    "",
    ".",
    "..",
    "a/..",
    "/a",
    "a/",
    "a//b",
    "a\\b",
    "a\0",
    "c:d",
    "a\n",
    "x".repeat(2000),
  ])
    expect(isSafeRelativePath(path), path).toBe(false)
  expect(cacheFolderName("meta-llama/Llama-3.2-1B")).toBe("models--meta-llama--Llama-3.2-1B")
  expect(repositoryOfFolder("models--meta-llama--Llama-3.2-1B")).toBe("meta-llama/Llama-3.2-1B")
  for (const folder of ["models--gpt2", "datasets--a--b", "models--a--..", "models--a--b--c", "version.txt"])
    expect(repositoryOfFolder(folder)).toBeUndefined()
  expect(printable("a\u001b[31m\nb\u202e")).toBe("a [31m b ")
  expect(["0 B", "999 B", "1.00 kB", "771 MB", "2.47 GB"]).toEqual(
    [0, 999, 1000, 771e6, 2.474e9].map((bytes) => formatBytes(bytes)),
  )
})

test("a safetensors repository: weights, index, settings, papers, and nothing else", () => {
  const paths = ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
  paths.push("model.safetensors.index.json", "tokenizer.json", "LICENSE", "USE_POLICY.md")
  const others = [
    "consolidated.safetensors",
    "pytorch_model.bin",
    "onnx/model.onnx",
    "original/consolidated.00.pth",
  ]
  others.push("runs/events.out", "x-Q4_0.gguf", ".gitattributes", "training_args.bin")
  expect(choose([...paths, ...others])).toEqual({ format: "safetensors", entry: "", paths: paths.toSorted() })
})

test("GGUF: by quantization, by file, as a split set, in a folder", () => {
  const paths = [
    "m-Q4_K.gguf",
    "m-Q4_K_M.gguf",
    "m-Q4_0.gguf",
    "m-IQ4_0.gguf",
    "m-UD-Q4_0.gguf",
    "mmproj-F16.gguf",
  ]
  expect(choose(paths, "Q4_K").paths).toEqual(["m-Q4_K.gguf"])
  expect(choose(paths, "q4_k_m").paths).toEqual(["m-Q4_K_M.gguf"])
  expect(choose(paths, "Q4_0").paths).toEqual(["m-Q4_0.gguf"])
  expect(choose(paths, "UD-Q4_0").paths).toEqual(["m-UD-Q4_0.gguf"])
  expect(choose(paths, "m-Q4_0.gguf").entry).toBe("m-Q4_0.gguf")
  expect(() => choose(paths, "Q9")).toThrow(/no file, folder or quantization "Q9".*Q4_K_M \(10 B\)/)
  expect(() => choose(paths)).toThrow(/5 GGUF models: name one.*"o\/n:Q4_0"/)
  expect(choose(["mmproj-F16.gguf", "a.gguf", "README.md"]).paths).toEqual(["README.md", "a.gguf"])

  const split = ["Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"]
  for (const selection of ["Q8_0", split[1]])
    expect(choose([...paths, ...split], selection)).toEqual({ format: "gguf", entry: split[0], paths: split })
  expect(() => choose([...paths, split[0]], "Q8_0")).toThrow(/1 of its pieces are missing/)
  const twice = ["a-Q4_0.gguf", "b-Q4_0.gguf"]
  expect(() => choose(twice, "Q4_0")).toThrow(/a-Q4_0 \(10 B\), b-Q4_0/)
})

test("Meta's .pth, llama2.c, subfolders, and repositories without a model", () => {
  const spin = ["consolidated.00.pth", "params.json", "tokenizer.model", "checklist.chk"]
  expect(choose(spin)).toEqual({ format: "pth", entry: "", paths: spin.slice(0, 3) })
  const stories = ["stories15M.bin", "stories42M.bin", "stories15M.pt", "readme.md"]
  stories.push("stories260K/stories260K.bin", "stories260K/stories260K.pt", "stories260K/tok512.model")
  stories.push("stories260K/tok512.bin")
  expect(choose(stories, "stories260K")).toEqual({
    format: "llama2c",
    entry: "stories260K",
    paths: ["readme.md", "stories260K/stories260K.bin", "stories260K/tok512.bin", "stories260K/tok512.model"],
  })
  expect(choose(stories, "stories15M.bin").entry).toBe("stories15M.bin")
  expect(() => choose(stories)).toThrow(/2 \.bin models/)
  expect(() => choose(["pytorch_model.bin", "config.json"])).toThrow(/pytorch_model\.bin, which is not read/)
  expect(() => choose(["README.md", "sub/model.safetensors"])).toThrow(
    /name a subfolder after a colon, one of sub/,
  )
  expect(() => choose(["README.md"])).toThrow(ModelNotFoundError)
})

test("include patterns are plain globs, linear in time", () => {
  const paths = ["a/b.json", "a/c.txt", "d.json"]
  expect(choose(paths, undefined, ["*.json"]).paths).toEqual(["a/b.json", "d.json"])
  expect(choose(paths, undefined, ["a/"]).paths).toEqual(["a/b.json", "a/c.txt"])
  expect(choose(paths, undefined, ["d.json", "a*xt"]).paths).toEqual(["a/c.txt", "d.json"])
  expect(() => choose(paths, undefined, ["d"])).toThrow(ModelNotFoundError)
  expect(() => choose(["a".repeat(1000)], undefined, ["*a".repeat(2000) + "b"])).toThrow(ModelNotFoundError)
})
