// A folder of named files, wherever it is: on a disk, on a server, dropped onto a page. What a checkpoint is opened
// from.
import { ModelNotFoundError } from "../errors/index.js"
import { blobSource, type ByteSource } from "./byte-source.js"

export interface ModelFolder {
  /** Name for messages and for the model's info: a path, a URL. */
  readonly path: string
  /** The plain names of the files in it, or of those that a model could need. */
  names(): Promise<ReadonlySet<string>>
  /** Name for messages of a file in it. */
  pathOf(name: string): string
  /** Opens a file. ModelNotFoundError where there is none. */
  open(name: string): Promise<ByteSource>
}

/** Blobs with names, as a page has them. */
export function blobFolder(path: string, blobs: ReadonlyMap<string, Blob>): ModelFolder {
  const pathOf = (name: string) => (path === "" ? name : `${path}/${name}`)
  return {
    path,
    names: async () => new Set(blobs.keys()),
    pathOf,
    open: async (name) => {
      const blob = blobs.get(name)
      if (!blob) throw new ModelNotFoundError(`${pathOf(name)} is not among the files given`)
      return blobSource(blob, pathOf(name))
    },
  }
}
