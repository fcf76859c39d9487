// The model at a path of this disk (Node only).
import { resolve } from "node:path"
import { diskFolder, openCheckpoint } from "../formats/node.js"
import type { FoundModel } from "./load-model.js"
import { packedStore } from "./packed-store.js"

/** It is named by its absolute path from here on. */
export function findModel(path: string): FoundModel {
  const full = resolve(path)
  return {
    open: () => openCheckpoint(full),
    packed: packedStore(full),
    folderAt: (folder) => diskFolder(resolve(folder)),
  }
}
