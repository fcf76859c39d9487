// The model at a path of this disk (Node only), named by its absolute path.
import { resolve } from "node:path"
import { type Checkpoint, diskFolder, openCheckpoint } from "../formats/node.js"

export const openModel = (path: string): Promise<Checkpoint> => openCheckpoint(resolve(path))

export const folderAt = (path: string): ReturnType<typeof diskFolder> => diskFolder(resolve(path))
