// Gives the memory that a rush of requests took back to the system when it is over (Node only). V8 collects garbage when
// it needs room; a server at rest needs none, and would keep all that its busiest minute left behind.
import type { Server } from "node:http"
import { getHeapStatistics } from "node:v8"
import { collectGarbage } from "../platform/index.js"

/** Milliseconds between the end of the last request and the look at the heap: it costs V8 its compiled code, too. */
const rest = 5000
/** Bytes that the heap may have grown by since the last look. */
const slack = 4 * 2 ** 20

/** Watches the requests of a server until it closes. */
export function collectWhenIdle(server: Server): void {
  let running = 0
  let settled = getHeapStatistics().total_heap_size
  const look = () => {
    if (running > 0 || getHeapStatistics().total_heap_size < settled + slack) return
    void collectGarbage().then(() => (settled = getHeapStatistics().total_heap_size))
  }
  const timer = setTimeout(look, rest).unref()
  server.on("request", (_, response) => {
    running++
    response.once("close", () => {
      running--
      timer.refresh()
    })
  })
  server.once("close", () => clearTimeout(timer))
}
