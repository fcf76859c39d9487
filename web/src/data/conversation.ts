// A conversation as a tree: every edit and every new answer is a branch beside the old one.
import type { Choice, Turn, Usage } from "../model/engine.js"

export interface Message {
  readonly id: string
  readonly parent: string | null
  readonly role: "user" | "assistant"
  text: string
  /** Of answers. */
  model?: string
  usage?: Usage
  /** Tokens a second. */
  rate?: number
  cut?: boolean
  stopped?: boolean
  error?: string
  choices?: Choice[]
}

export interface Conversation {
  readonly id: string
  /** "text": one text that a base model continues. */
  readonly kind: "chat" | "text"
  title: string
  updated: number
  system: string
  messages: Message[]
  /** The last message of the branch that is shown. */
  leaf: string | null
  /** Of kind "text". */
  text: string
}

export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  )

export function newConversation(kind: Conversation["kind"], system: string): Conversation {
  return { id: newId(), kind, title: "", updated: Date.now(), system, messages: [], leaf: null, text: "" }
}

/** The messages that are shown, first to last. */
export function branch({ messages, leaf }: Conversation): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const path: Message[] = []
  for (let at = leaf; at !== null && path.length <= messages.length; ) {
    const message = byId.get(at)
    if (!message) break
    path.unshift(message)
    at = message.parent
  }
  return path
}

/** The versions of a message: it and its siblings, oldest first. */
export const versions = ({ messages }: Conversation, { parent, role }: Message): Message[] =>
  messages.filter((message) => message.parent === parent && message.role === role)

/** Adds a message below `parent` and shows it. Returns the one in the conversation, which may be a proxy. */
export function append(
  conversation: Conversation,
  parent: string | null,
  role: Message["role"],
  text: string,
): Message {
  const id = newId()
  conversation.messages.push({ id, parent, role, text })
  conversation.leaf = id
  conversation.updated = Date.now()
  if (conversation.title === "") conversation.title = titleOf(text)
  return conversation.messages.at(-1)!
}

/** Shows the branch through a message: its newest end. */
export function show(conversation: Conversation, message: Message): void {
  let leaf = message
  for (;;) {
    const next = conversation.messages.findLast(({ parent }) => parent === leaf.id)
    if (!next) break
    leaf = next
  }
  conversation.leaf = leaf.id
}

/** What the model is told: system prompt and the messages up to one. */
export function turnsTo(conversation: Conversation, last: Message): Turn[] {
  const path = branch({ ...conversation, leaf: last.id })
  const turns = path.map(({ role, text }): Turn => ({ role, content: text }))
  const system = conversation.system.trim()
  return system === "" ? turns : [{ role: "system", content: system }, ...turns]
}

export const titleOf = (text: string): string => text.trim().replaceAll(/\s+/g, " ").slice(0, 60)
