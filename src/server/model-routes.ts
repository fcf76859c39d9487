// GET /v1/models and /v1/models/{id}.
import { modelNotFound, type Offer } from "./models.js"
import { json, type Reply } from "./reply.js"
import type { ServerContext } from "./work.js"

/** As OpenAI's API has it, with what is known of a loaded model beside it. */
const described = ({ name, created, llama, base }: Offer) => ({
  id: name,
  object: "model",
  created,
  owned_by: "cria",
  ...(base !== undefined && { parent: base }),
  loaded: llama !== undefined,
  ...(llama && {
    name: llama.info.name,
    context_length: llama.info.contextLength,
    weight_bytes: llama.info.weightBytes,
    sampling: { temperature: llama.info.sampling.temperature, top_p: llama.info.sampling.topP },
    chat: llama.info.hasChat,
  }),
})

export const listModels = ({ models }: ServerContext): Reply =>
  json({ object: "list", data: models.offers().map(described) })

export function retrieveModel({ models }: ServerContext, id: string): Reply {
  const all = models.offers()
  const found = all.find(({ name }) => name === id)
  if (!found)
    throw modelNotFound(
      id,
      all.map(({ name }) => name),
    )
  return json(described(found))
}
