// The conversations on the page, and what is being written in them.
import type { Asking, Step } from "../model/engine.js"
import { models } from "../model/models.svelte.js"
import { append, type Conversation, type Message, newConversation, turnsTo } from "./conversation.js"
import { deleteConversation, loadConversations, saveConversation } from "./history.js"
import { settings } from "./settings.svelte.js"

const saveInterval = 2000

class Chats {
  list: Conversation[] = $state([])
  current: Conversation = $state(newConversation("chat", settings.system))
  /** The message or text that is being written, if any. */
  writing: string | undefined = $state()
  /** Whether the model still reads. */
  reading = $state(false)
  rate = $state(0)
  /** Said to screen readers. */
  spoken = $state("")
  /** What went wrong outside a message. */
  error = $state("")
  #stop: AbortController | undefined
  /** What is still being written of them is not kept any more. */
  readonly #removed = new Set<string>()

  async open(): Promise<void> {
    try {
      this.list = await loadConversations()
      if (this.list.length > 0) this.current = this.list[0]
    } catch (error) {
      this.error = messageOf(error) // private windows of some browsers have no database
    }
  }

  start(kind: Conversation["kind"]): void {
    this.stop()
    this.current = newConversation(kind, settings.system)
  }

  select(conversation: Conversation): void {
    this.stop()
    this.current = conversation
  }

  async remove(conversation: Conversation): Promise<void> {
    this.#removed.add(conversation.id)
    if (this.current.id === conversation.id) this.start(conversation.kind)
    this.list = this.list.filter(({ id }) => id !== conversation.id)
    await deleteConversation(conversation.id)
  }

  /** Keeps a conversation and moves it to the top. */
  async save(conversation: Conversation = this.current): Promise<void> {
    const { id, messages, text } = conversation
    if ((messages.length === 0 && text === "") || this.#removed.has(id)) return
    conversation.updated = Date.now()
    const at = this.list.findIndex((listed) => listed.id === id)
    if (at !== 0) {
      if (at > 0) this.list.splice(at, 1)
      this.list.unshift(conversation)
      if (this.current.id === id) this.current = this.list[0]
    }
    try {
      await saveConversation($state.snapshot(conversation))
    } catch (error) {
      this.error = messageOf(error)
    }
  }

  /** Says something below `parent` and has it answered. */
  async send(text: string, parent: string | null): Promise<void> {
    const question = append(this.current, parent, "user", text)
    await this.save()
    await this.answer(this.current.messages.find(({ id }) => id === question.id) ?? question)
  }

  /** A new answer to a message of the user. */
  async answer(question: Message): Promise<void> {
    const { engine } = models
    if (!engine || this.writing !== undefined) return
    const conversation = this.current
    const turns = turnsTo(conversation, question)
    const message = append(conversation, question.id, "assistant", "")
    message.model = engine.card.title
    const choices: NonNullable<Message["choices"]> = []
    await this.#write(
      conversation,
      message.id,
      (asking) => engine.chat(turns, asking),
      message,
      (step) => {
        message.text += step.text
        if (step.choices) choices.push(...step.choices)
        if (step.finish === "length") message.cut = true
        if (step.usage) message.usage = step.usage
      },
    )
    if (choices.length > 0) message.choices = choices
    message.rate = this.rate || undefined
    this.spoken = message.text
    await this.save(conversation)
  }

  /** Continues the text of a conversation of kind "text". */
  async proceed(): Promise<void> {
    const { engine } = models
    if (!engine || this.writing !== undefined) return
    const conversation = this.current
    const state: Pick<Message, "error" | "stopped"> = {}
    await this.#write(
      conversation,
      conversation.id,
      (asking) => engine.complete(conversation.text, asking),
      state,
      (step) => {
        conversation.text += step.text
      },
    )
    if (conversation.title === "") conversation.title = conversation.text.trim().slice(0, 60)
    this.error = state.error ?? ""
    await this.save(conversation)
  }

  stop(): void {
    this.#stop?.abort()
  }

  async #write(
    conversation: Conversation,
    id: string,
    ask: (asking: Asking) => AsyncIterable<Step>,
    outcome: Pick<Message, "error" | "stopped">,
    take: (step: Step) => void,
  ): Promise<void> {
    const stop = new AbortController()
    this.#stop = stop
    this.writing = id
    this.reading = true
    this.rate = 0
    this.error = ""
    let [tokens, first, saved] = [0, 0, performance.now()]
    try {
      const { parameters, probabilities } = $state.snapshot(settings)
      for await (const step of ask({ ...parameters, probabilities, signal: stop.signal })) {
        const now = performance.now()
        if (step.text !== "" || step.choices) {
          if (this.reading) first = now
          this.reading = false
          tokens += step.choices?.length ?? 1
          if (now - first > 200) this.rate = ((tokens - 1) * 1000) / (now - first)
        }
        take(step)
        if (now - saved > saveInterval) {
          saved = now
          void this.save(conversation)
        }
      }
    } catch (error) {
      if (stop.signal.aborted) outcome.stopped = true
      else outcome.error = messageOf(error)
    } finally {
      this.writing = undefined
      this.reading = false
    }
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const chats = new Chats()
