// How a kept model lies in the origin's private file system: a folder of its files with a manifest, which alone says
// what is whole. Written by the worker, read by both sides.
import * as z from "zod"
import { InvalidOptionError } from "../errors/index.js"

export const rootName = "cria-models"
export const manifestName = "manifest.json"

export const storedFile = z.object({
  name: z.string(),
  url: z.string().optional(),
  /** Bytes in all, where that is known. */
  size: z.number().int().nonnegative().optional(),
  /** What the file should hash to, where somebody said so; once it is whole, what it does hash to. */
  sha256: z.string().optional(),
  etag: z.string().optional(),
  complete: z.boolean(),
})
export type StoredFile = z.infer<typeof storedFile>

export const manifest = z.object({
  name: z.string(),
  url: z.string().optional(),
  /** ISO date. */
  added: z.string(),
  files: z.array(storedFile),
})
export type Manifest = z.infer<typeof manifest>

/** Any text that names a model, as the name of a folder. */
export function folderName(name: string): string {
  if (name.trim() === "" || name.length > 200)
    throw new InvalidOptionError("a kept model's name has 1 to 200 characters")
  // the letter keeps "." and ".." away
  return `m-${encodeURIComponent(name)}`
}

/** The store's folder. */
export async function storeRoot(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory()
  return root.getDirectoryHandle(rootName, { create: true })
}

/** The manifest of a model's folder; undefined where it is missing or damaged. */
export async function readManifest(folder: FileSystemDirectoryHandle): Promise<Manifest | undefined> {
  try {
    const file = await (await folder.getFileHandle(manifestName)).getFile()
    return manifest.parse(JSON.parse(await file.text()))
  } catch (error) {
    const absent = error instanceof DOMException && error.name === "NotFoundError"
    if (absent || error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}
