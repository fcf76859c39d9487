import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { chatCommands, isChatCommand, runChatCommand, type Session } from "./chat-commands.js"
import { Conversation } from "./conversation.js"

let folder: string
let session: Session

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-chat-"))
  session = {
    conversation: new Conversation("Be brief."),
    settings: {},
    model: "tiny",
    ownFiles: new Set(),
    stats: async () => "fast",
  }
  session.conversation.say("user", "Hello")
  session.conversation.say("assistant", "Hi")
})
afterEach(() => rm(folder, { recursive: true }))

test("a slash and a word is a command, a path or a fraction is not", () => {
  expect(["/help", "/set topK 3", "/HELP", "/?"].map(isChatCommand)).toEqual([true, true, true, true])
  expect(["/usr/bin is a folder", "1/2", " /help", "/", "//"].map(isChatCommand)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
})

test("/help names every command", async () => {
  const { say, next } = await runChatCommand(session, "/help")
  for (const { usage } of Object.values(chatCommands)) expect(say).toContain(usage)
  expect(next).toBe("ask")
})

test("an unknown command, also one named as a property of objects, says so", async () => {
  await expect(runChatCommand(session, "/hepl")).rejects.toThrow(/no \/hepl: \/help/)
  await expect(runChatCommand(session, "/constructor")).rejects.toThrow(/no \/constructor/)
})

test("/set checks names and values as the flags do", async () => {
  await runChatCommand(session, "/set temperature 0.2")
  await runChatCommand(session, "/set max-tokens 12")
  await runChatCommand(session, "/set top_k=3")
  expect(session.settings).toEqual({ temperature: 0.2, maxTokens: 12, topK: 3 })
  await runChatCommand(session, "/set topK default")
  expect((await runChatCommand(session, "/set")).say).toBe(
    "temperature 0.2, topK default, topP default, minP default, seed default, maxTokens 12",
  )
  await expect(runChatCommand(session, "/set temperature hot")).rejects.toThrow(/from 0 to 100/)
  await expect(runChatCommand(session, "/set heat 3")).rejects.toThrow(/\/set knows temperature/)
  expect(session.settings.temperature).toBe(0.2)
})

test("/undo takes back a question with its answer, /retry asks it again", async () => {
  session.conversation.say("user", "And you?")
  session.conversation.say("assistant", "Fine")
  expect((await runChatCommand(session, "/retry")).next).toBe("answer")
  expect(session.conversation.turns.at(-1)).toEqual({ role: "user", content: "And you?" })
  expect((await runChatCommand(session, "/undo")).say).toBe("Taken back: And you?")
  expect(session.conversation.turns.length).toBe(2)
  await runChatCommand(session, "/undo")
  expect((await runChatCommand(session, "/undo")).say).toMatch(/nothing/)
  expect((await runChatCommand(session, "/retry")).next).toBe("ask")
})

test("/clear keeps the system text, /system changes it", async () => {
  await runChatCommand(session, "/clear")
  expect(session.conversation.messages()).toEqual([{ role: "system", content: "Be brief." }])
  await runChatCommand(session, "/system Be long.\nVery.")
  expect(session.conversation.system).toBe("Be long.\nVery.")
  await runChatCommand(session, "/system -")
  expect(session.conversation.messages()).toEqual([])
})

test("/save and /load bring everything back; nothing of others is overwritten", async () => {
  const path = join(folder, "chat.json")
  session.settings.temperature = 0.5
  await runChatCommand(session, `/save ${path}`)
  if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o600)
  session.conversation.say("user", "More")
  await runChatCommand(session, `/save ${path}`) // its own file
  expect(await readdir(folder)).toEqual(["chat.json"])

  const fresh: Session = { ...session, conversation: new Conversation(), settings: {}, ownFiles: new Set() }
  const { say } = await runChatCommand(fresh, `/load ${path}`)
  expect(say).toContain("/retry")
  expect(fresh.conversation.messages()).toEqual(session.conversation.messages())
  expect(fresh.settings).toEqual({ temperature: 0.5 })

  const other = join(folder, "notes.txt")
  await writeFile(other, "mine")
  await expect(runChatCommand(session, `/save ${other}`)).rejects.toThrow(/exists/)
  expect(await readFile(other, "utf8")).toBe("mine")
})

test("/load refuses what /save has not written", async () => {
  const path = join(folder, "bad.json")
  for (const text of [
    "",
    "[]",
    '{"cria":"chat","version":1,"turns":[{"role":"system","content":"x"}]}',
    '{"cria":"chat"',
  ]) {
    await writeFile(path, text)
    await expect(runChatCommand(session, `/load ${path}`)).rejects.toThrow(
      /bad\.json is (?:not JSON|no saved chat)/,
    )
  }
  await expect(runChatCommand(session, `/load ${join(folder, "none")}`)).rejects.toThrow(/no such file/)
  expect(session.conversation.turns.length).toBe(2)
})
