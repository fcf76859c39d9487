// A reward model at work: scores of conversations, and the head of one in a folder (Node only).
import { join } from "node:path"
import { stat } from "node:fs/promises"
import { type Backend, createBackend } from "../backends/index.js"
import { conversationTokens, type RenderOptions } from "./chat-records.js"
import type { Message, Tool } from "../chat/index.js"
import { readTokenizer } from "../engine/load-model.js"
import { InvalidFileError } from "../errors/index.js"
import { openCheckpoint } from "../formats/disk-folder.js"
import { fileSource } from "../formats/file-source.js"
import { openSafetensors } from "../formats/safetensors.js"
import { loadModel } from "../model/checkpoint.js"
import { hiddenStates, type Model } from "../model/llama.js"
import type { Weight } from "../ops/ops.js"
import type { Tokenizer } from "../tokenizer/index.js"
import { readTensor } from "./model-values.js"
import { headForm } from "./trainable.js"

/** The head of the reward model in a folder; undefined where the model has none. */
export async function readHead(folder: string): Promise<Float32Array | undefined> {
  for (const name of ["model.safetensors", "adapter_model.safetensors"]) {
    const path = join(folder, name)
    if (!(await stat(path).catch(() => undefined))) continue
    const file = await openSafetensors(await fileSource(path))
    try {
      const { name } = headForm({ width: 0 })
      if (file.tensors.has(name)) return await readTensor(file, name)
    } finally {
      await file.close()
    }
  }
  return undefined
}

export class RewardModel implements AsyncDisposable {
  readonly #backend: Backend
  readonly #model: Model
  readonly #head: Weight
  readonly #tokenizer: Tokenizer
  readonly #template: string | undefined
  /** Ends when the scores asked for so far are there. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    backend: Backend,
    model: Model,
    head: Weight,
    tokenizer: Tokenizer,
    template: string | undefined,
  ) {
    this.#backend = backend
    this.#model = model
    this.#head = head
    this.#tokenizer = tokenizer
    this.#template = template
  }

  /** Loads the reward model in a folder; InvalidFileError where the model there has no head. */
  static async load(
    folder: string,
    backendName: Parameters<typeof createBackend>[0] = "auto",
  ): Promise<RewardModel> {
    const values = await readHead(folder)
    if (!values)
      throw new InvalidFileError(
        `${folder} is no reward model: it has no head; a recipe with \`method: reward\` trains one`,
      )
    const checkpoint = await openCheckpoint(folder)
    const backend = await createBackend(backendName)
    try {
      const model = await loadModel(checkpoint, backend)
      const writer = backend.createWeight("f32", 1, values.length)
      writer.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      return new RewardModel(
        backend,
        model,
        writer.finish(),
        readTokenizer(checkpoint),
        checkpoint.chatTemplate,
      )
    } catch (error) {
      await backend.dispose()
      throw error
    } finally {
      await checkpoint.close()
    }
  }

  /** The score of a conversation that ends with the assistant: higher is better. */
  score(messages: readonly Message[], tools: readonly Tool[], options: RenderOptions): Promise<number> {
    const rendering = { template: this.#template, ...options }
    const { ids } = conversationTokens(this.#tokenizer, messages, tools, rendering)
    // one after the other: the scopes of two passes would cross
    const score = this.#last.then(() => this.#scoreOf(ids))
    this.#last = score.catch(() => {})
    return score
  }

  async #scoreOf(ids: Int32Array): Promise<number> {
    const scope = this.#backend.scope()
    try {
      const batch = {
        ids,
        positions: ids.map((_, i) => i),
        sequences: [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array(0) }],
        outputs: Int32Array.of(ids.length - 1),
      }
      const states = hiddenStates(this.#backend, this.#model, batch)
      const [score] = await this.#backend.read(this.#backend.linear(states, this.#head))
      return score
    } finally {
      scope.end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.dispose()
  }
}
