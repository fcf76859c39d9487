import { expect, test } from "vitest"
import { ask, watchKeys } from "./line-editor.js"
import { FakeKeyboard, FakeScreen } from "./screen-fixture.js"

function start(history: string[] = []) {
  const keyboard = new FakeKeyboard()
  const screen = new FakeScreen()
  const controller = new AbortController()
  const reply = ask(keyboard.asStdin(), screen.stream, {
    prompt: "> ",
    continuation: ". ",
    history,
    signal: controller.signal,
  })
  return { keyboard, screen, controller, reply }
}

test("a line, with editing keys", async () => {
  const { keyboard, screen, reply } = start()
  for (const keys of ["helo", "\u001b[D", "l", "\r"]) keyboard.write(keys)
  expect(await reply).toEqual({ kind: "text", text: "hello" })
  expect(keyboard.isRaw).toBe(false)
  expect(screen.text.startsWith("\u001b[?2004h")).toBe(true)
  expect(screen.text).toContain("\u001b[?2004l")
})

test("several lines show another prompt", async () => {
  const { keyboard, screen, reply } = start()
  keyboard.write("one\\\rtwo\r")
  expect(await reply).toEqual({ kind: "text", text: "one\ntwo" })
  expect(screen.text).toContain(". ")
})

test("a pasted block is one message, sent by the Enter after it", async () => {
  const { keyboard, reply } = start()
  keyboard.write("see: \u001b[200~a\rb\rc\u001b[201~")
  const early = await Promise.race([reply, new Promise((resolve) => setTimeout(resolve, 100, "waits"))])
  expect(early).toBe("waits")
  keyboard.write("\r")
  expect(await reply).toEqual({ kind: "text", text: "see: a\nb\nc" })
})

test("the arrow keys bring back whole messages", async () => {
  const { keyboard, reply } = start(["new\nest", "older"])
  keyboard.write("\u001b[A\u001b[A")
  keyboard.write("\u001b[B\r")
  expect(await reply).toEqual({ kind: "text", text: "new\nest" })
})

test("Ctrl-C empties a line that has begun, and is told of on an empty one", async () => {
  const { keyboard, reply } = start()
  keyboard.write("wrong\\\rmore\u0003right\r")
  expect(await reply).toEqual({ kind: "text", text: "right" })
  const second = start()
  second.keyboard.write("\u0003")
  expect(await second.reply).toEqual({ kind: "interrupt" })
})

test("Ctrl-D ends, and so does the end of the terminal", async () => {
  const first = start()
  first.keyboard.write("\u0004")
  expect(await first.reply).toEqual({ kind: "end" })
  const second = start()
  second.keyboard.end()
  expect(await second.reply).toEqual({ kind: "end" })
})

test("an abort leaves the terminal as it was", async () => {
  const { keyboard, screen, controller, reply } = start()
  controller.abort(new Error("stop"))
  await expect(reply).rejects.toThrow("stop")
  expect(keyboard.isRaw).toBe(false)
  expect(screen.text).toContain("\u001b[?2004l")
})

test("while an answer runs only Ctrl-C counts, each time it is pressed", async () => {
  const keyboard = new FakeKeyboard()
  let pressed = 0
  const end = watchKeys(keyboard.asStdin(), () => void pressed++)
  expect(keyboard.isRaw).toBe(true)
  keyboard.write("abc\u0003x\u0003")
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(pressed).toBe(2)
  end()
  expect(keyboard.isRaw).toBe(false)
})
