// The engine's own thread in Node: opens models from the disk.
import * as z from "zod"
import { workerPort } from "../platform/index.js"
import { findModel } from "./open-model.js"
import { serveEngine } from "./serve-engine.js"

const port = workerPort()
port.onMessage(serveEngine((source) => findModel(z.string().parse(source)), port))
