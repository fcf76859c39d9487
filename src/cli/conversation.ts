// What was said in a chat, and how it is kept in a file. Knows neither terminal nor model.
import * as z from "zod"
import { InvalidFileError } from "../errors/index.js"
import { type SamplingName, samplingNames } from "./options.js"

export interface Turn {
  readonly role: "user" | "assistant"
  readonly content: string
}

export type Settings = Partial<Record<SamplingName, number>>

const mostTurns = 20_000

const saved = z.object({
  cria: z.literal("chat"),
  version: z.literal(1),
  model: z.string().max(4096).optional(),
  system: z.string().optional(),
  settings: z.partialRecord(z.enum(samplingNames), z.number()).default({}),
  turns: z.array(z.object({ role: z.enum(["user", "assistant"]), content: z.string() })).max(mostTurns),
})

export class Conversation {
  system: string | undefined
  turns: Turn[] = []

  constructor(system?: string) {
    this.system = system
  }

  /** As the engine takes it. */
  messages(): { role: "system" | "user" | "assistant"; content: string }[] {
    return [
      ...(this.system === undefined ? [] : [{ role: "system" as const, content: this.system }]),
      ...this.turns,
    ]
  }

  say(role: Turn["role"], content: string): void {
    this.turns.push({ role, content })
  }

  /** Takes back the latest question and what was answered; returns the question. */
  undo(): string | undefined {
    const at = this.turns.findLastIndex((turn) => turn.role === "user")
    if (at < 0) return undefined
    return this.turns.splice(at)[0].content
  }

  toJson(settings: Settings, model: string): string {
    const { system, turns } = this
    return `${JSON.stringify({ cria: "chat", version: 1, model, system, settings, turns }, undefined, 2)}\n`
  }

  /** Throws InvalidFileError for a text that `toJson` has not written. */
  static fromJson(text: string, path: string): { conversation: Conversation; settings: Settings } {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw new InvalidFileError(`${path} is not JSON: give a file that /save has written`, { cause: error })
    }
    const result = saved.safeParse(json)
    if (!result.success) {
      const { path: field, message } = result.error.issues[0]
      throw new InvalidFileError(`${path} is no saved chat: ${field.join(".")}: ${message}`)
    }
    const conversation = new Conversation(result.data.system)
    conversation.turns = result.data.turns
    return { conversation, settings: result.data.settings }
  }
}
