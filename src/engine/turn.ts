// Lets the event loop have one turn: messages that arrived, timers and I/O are handled before the promise resolves.

const channel = typeof setImmediate === "function" ? undefined : new MessageChannel()
const waiting: (() => void)[] = []
channel?.port1.addEventListener("message", () => waiting.shift()?.())
channel?.port1.start()

/** Resolves after one turn of the event loop. Unlike a timer it is not delayed by browsers. */
export function turnOfEvents(): Promise<void> {
  return new Promise((resolve) => {
    if (!channel) return void setImmediate(resolve)
    waiting.push(resolve)
    channel.port2.postMessage(undefined)
  })
}
