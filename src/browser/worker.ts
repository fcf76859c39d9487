// The worker of pages: an engine that opens models from URLs and Blobs, or a hand of the store. Its first message says
// which.
import { serveEngine } from "../engine/serve-engine.js"
import { workerPort } from "../platform/index.js"
import { openModel } from "./open-model.js"
import { runStoreJob } from "./store-worker.js"

const port = workerPort()
const engine = serveEngine((source) => ({ open: () => openModel(source) }), port)

port.onMessage((message) => {
  const { type, job } = message as { type?: unknown; job?: unknown }
  if (type === "store") void runStoreJob(job, (told) => port.post(told))
  else engine(message)
})
