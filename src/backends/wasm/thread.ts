// A worker of the wasm backend: instantiates the kernels in every heap it is given, then sleeps in them until there
// is work. It knows neither operations nor models.
import { workerPort } from "../../platform/platform.js"
import { Instances } from "./instances.js"
import { CELL_FAILED, CELL_GENERATION } from "./opcodes.js"
import type { FromWorker, ToWorker } from "./threads.js"

const port = workerPort()
const tell = (message: FromWorker): void => port.post(message)
let instances: Instances
let cells: Int32Array | undefined

port.onMessage((data) => {
  const message = data as ToWorker
  try {
    if (message.type === "start") {
      instances = new Instances(message.module, message.thread, message.threads, message.wide)
      return
    }
    instances.add(message.memory)
    cells ??= new Int32Array(message.memory.buffer)
    tell({ type: "ready" })
    // Returns when there is a further heap to take, whose message comes next, or when all is over.
    instances.kernels[0].serve(message.epoch)
  } catch (error) {
    // The others may be waiting for this thread at a barrier: the cell frees them.
    if (cells) {
      Atomics.store(cells, CELL_FAILED / 4, 1 + instances.thread)
      Atomics.notify(cells, CELL_GENERATION / 4)
    }
    tell({ type: "failed", reason: error instanceof Error ? error.message : String(error) })
  }
})
