// Starts the worker of pages (worker.ts). Bundlers that know the form below ship it as a file; where it does not load
// (a bundler that left the address as it is, code of another origin) the same worker starts from a text in the bundle.
import { scriptNotLoaded, spawnWorker, type WorkerHandle } from "../platform/index.js"

const here = () => new URL(import.meta.url)
let fromText = false

export function spawnPageWorker(name: string): WorkerHandle {
  const posted: unknown[] = []
  let heard = false
  let ended = false
  let receive: (message: unknown) => void = () => {}
  let fail: (error: Error) => void = () => {}
  let worker: WorkerHandle | undefined

  const adopt = (started: WorkerHandle) => {
    worker = started
    started.onMessage((message) => {
      heard = true
      posted.length = 0
      receive(message)
    })
    started.onError((error) => {
      if (heard || fromText || error.message !== scriptNotLoaded) fail(error)
      else void startFromText()
    })
    for (const message of posted) started.post(message)
  }
  const startFromText = async () => {
    fromText = true
    worker = undefined
    try {
      const { workerText } = await import("./worker-text.js")
      if (!ended) adopt(spawnWorker({ name, url: here, web: () => textWorker(workerText, name) }))
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  if (fromText) void startFromText()
  else {
    try {
      adopt(spawnWorker({ name, url: here, web: fileWorker }))
    } catch {
      void startFromText() // the address is none, or of another origin
    }
  }
  return {
    post: (message) => {
      if (!heard) posted.push(message)
      worker?.post(message)
    },
    onMessage: (handler) => void (receive = handler),
    onError: (handler) => void (fail = handler),
    onExit: () => {},
    terminate: async () => {
      ended = true
      await worker?.terminate()
    },
    ref: () => {},
    unref: () => {},
  }
}

const fileWorker = (): Worker => new Worker(new URL("./worker.js", import.meta.url), { type: "module" })

function textWorker(text: string, name: string): Worker {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }))
  const worker = new Worker(url, { type: "module", name })
  // the script is fetched by now or at the next turn; an address that nobody takes back stays for ever
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
  return worker
}
