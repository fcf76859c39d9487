// What a page may name as a model, as plain data that a worker can be sent.
import { InvalidOptionError } from "../errors/index.js"
import { absoluteUrl } from "./address.js"
import { ModelStore } from "./store.js"
import type { WireSource } from "./wire-source.js"

/**
 * A URL of a model file (GGUF, .safetensors, .pth, llama2.c) or of a folder with safetensors; a File or Blob; the files
 * of a model together; "opfs:" and the name of a model that is kept in this browser (see `ModelStore`); or "default",
 * the demonstration model of the package. Vite and webpack ship that by themselves; with esbuild import
 * "cria/models/default/cria-demo.gguf" under the loader "file", and pass what it gives as a URL.
 */
export type ModelSource = string | URL | Blob | Iterable<File>

const storedPrefix = "opfs:"
/** In the form that bundlers understand: they ship the file, and it is fetched only when it is asked for. */
const embeddedModel = () => new URL("../../models/default/cria-demo.gguf", import.meta.url).href

/** @throws InvalidOptionError; ModelNotFoundError or InvalidFileError for a kept model. */
export async function resolveSource(source: ModelSource): Promise<WireSource> {
  if (source instanceof Blob) return { kind: "files", path: "", files: [[nameOf(source), source]] }
  if (typeof source === "string" && source.startsWith(storedPrefix)) {
    const store = await ModelStore.open()
    const files = await store.files(source.slice(storedPrefix.length))
    return { kind: "files", path: source, files: files.map((file) => [nameOf(file), file]) }
  }
  if (source === "default") return { kind: "url", url: embeddedModel() }
  if (typeof source === "string" || source instanceof URL) return { kind: "url", url: absoluteUrl(source) }
  const files = [...source]
  if (files.length === 0 || !files.every((file) => file instanceof Blob))
    throw new InvalidOptionError(
      "a model's source is a URL, a File, a list of Files, or opfs: and the name of a kept model",
    )
  const path = files.length === 1 ? "" : `${files.length} files`
  return { kind: "files", path, files: files.map((file) => [nameOf(file), file]) }
}

const nameOf = (blob: Blob): string => ("name" in blob ? String(blob.name) : "model")
