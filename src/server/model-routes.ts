// GET /v1/models and /v1/models/{id}.
import { modelNotFound } from "./models.js"
import type { ServerContext } from "./work.js"

type Listed = ReturnType<ServerContext["models"]["list"]>[number]

/** As OpenAI's API has it, with what is known of a loaded model beside it. */
const described = ({ name, created, llama }: Listed) => ({
  id: name,
  object: "model",
  created,
  owned_by: "cria",
  loaded: llama !== undefined,
  ...(llama && {
    name: llama.info.name,
    context_length: llama.info.contextLength,
    weight_bytes: llama.info.weightBytes,
    chat: llama.info.hasChat,
  }),
})

export const listModels = ({ models }: ServerContext): Response =>
  Response.json({ object: "list", data: models.list().map(described) })

export function retrieveModel({ models }: ServerContext, id: string): Response {
  const all = models.list()
  const found = all.find(({ name }) => name === id)
  if (!found)
    throw modelNotFound(
      id,
      all.map(({ name }) => name),
    )
  return Response.json(described(found))
}
