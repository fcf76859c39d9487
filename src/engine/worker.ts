// The engine's own thread in Node: opens models from the disk.
import { z } from "zod"
import { openModel } from "./open-model.js"
import { serveEngine } from "./serve-engine.js"

serveEngine((source) => openModel(z.string().parse(source)))
