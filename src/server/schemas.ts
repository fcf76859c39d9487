// The requests of chat, completions and embeddings as OpenAI's API has them: one definition that checks them and
// that the OpenAPI document is made from. Fields that are not named here are ignored.
import * as z from "zod"

/** Fields that a client may leave out or send as null. */
const integer = (min: number, max: number) => z.number().int().min(min).max(max)
const most = 2 ** 31 - 1

export const modelName = z.string().min(1).max(512)
const text = z.string().max(16_000_000)
export const textOnly = "only text is read here: content must be a string or parts of type text"
const textPart = z.looseObject({ type: z.enum(["text", "input_text", "output_text"], textOnly), text })
export const textContent = z.union([text, z.array(textPart).max(10_000)], textOnly)
export const functionName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,128}$/, "a name holds 1 to 128 letters, digits, underscores, dots or hyphens")
const callId = z.string().max(256)
export const jsonObject = z.record(z.string(), z.unknown())

const calledFunction = z.looseObject({ name: functionName, arguments: text })

export const chatMessage = z
  .discriminatedUnion(
    "role",
    [
      z.looseObject({ role: z.enum(["system", "developer", "user"]), content: textContent }),
      z.looseObject({
        role: z.literal("assistant"),
        content: textContent.nullish(),
        refusal: text.nullish(),
        tool_calls: z
          .array(
            z.looseObject({ id: callId, type: z.literal("function").optional(), function: calledFunction }),
          )
          .max(256)
          .nullish(),
        function_call: calledFunction.nullish(),
      }),
      z.looseObject({ role: z.literal("tool"), content: textContent, tool_call_id: callId }),
      z.looseObject({ role: z.literal("function"), content: textContent.nullable(), name: functionName }),
    ],
    "role must be one of system, developer, user, assistant, tool",
  )
  .meta({ id: "ChatMessage" })
export type ChatMessage = z.output<typeof chatMessage>

const functionFields = {
  name: functionName,
  description: text.nullish(),
  parameters: jsonObject.nullish(),
  strict: z.boolean().nullish(),
}

export const chatTool = z
  .looseObject({ type: z.literal("function"), function: z.looseObject(functionFields) })
  .meta({ id: "ChatTool" })

const choiceMode = z.enum(["none", "auto", "required"])
export const chatToolChoice = z.union(
  [
    choiceMode,
    z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: functionName }) }),
  ],
  'tool_choice must be "none", "auto", "required" or { type: "function", function: { name } }',
)

export const responseTool = z
  .looseObject({ type: z.literal("function"), ...functionFields })
  .meta({ id: "ResponseTool" })

export const responseToolChoice = z.union(
  [choiceMode, z.looseObject({ type: z.literal("function"), name: functionName })],
  'tool_choice must be "none", "auto", "required" or { type: "function", name }',
)

const schemaFields = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "a name holds 1 to 64 letters, digits, underscores or hyphens"),
  description: text.nullish(),
  schema: jsonObject.nullish(),
  strict: z.boolean().nullish(),
}
const plainFormats = [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({ type: z.literal("regex"), pattern: z.string().min(1).max(20_000) }),
  z.looseObject({ type: z.literal("grammar"), grammar: z.string().min(1).max(200_000) }),
] as const
const formatTypes = "type must be one of text, json_object, json_schema, regex, grammar"

/** `regex` and `grammar` are of this server; the rest is OpenAI's. */
export const responseFormat = z
  .discriminatedUnion(
    "type",
    [
      ...plainFormats,
      z.looseObject({ type: z.literal("json_schema"), json_schema: z.looseObject(schemaFields) }),
    ],
    formatTypes,
  )
  .meta({ id: "ResponseFormat" })

/** The same, flat, as /v1/responses has it. */
export const textFormat = z
  .discriminatedUnion(
    "type",
    [...plainFormats, z.looseObject({ type: z.literal("json_schema"), ...schemaFields })],
    formatTypes,
  )
  .meta({ id: "TextFormat" })

const stopText = z.string().min(1).max(10_000)

/** How tokens are chosen. top_k, min_p, typical_p and repetition_penalty are of this server. */
export const samplingFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: integer(0, most).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  typical_p: z.number().gt(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(100).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.number().int().nullish(),
  user: z.string().max(1024).nullish(),
}
export type SamplingFields = { [K in keyof typeof samplingFields]?: z.output<(typeof samplingFields)[K]> }

const generationFields = {
  ...samplingFields,
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, "must be a token id"), z.number().min(-100).max(100))
    .nullish(),
  n: integer(1, 128).nullish(),
  stop: z
    .union([stopText, z.array(stopText).max(16)], "must be a text, or up to 16 of them, none empty")
    .nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
}

export const chatRequest = z
  .looseObject({
    model: modelName,
    messages: z.array(chatMessage).min(1).max(20_000),
    ...generationFields,
    max_tokens: integer(1, most).nullish(),
    max_completion_tokens: integer(1, most).nullish(),
    logprobs: z.boolean().nullish(),
    top_logprobs: integer(0, 20).nullish(),
    tools: z.array(chatTool).max(512).nullish(),
    tool_choice: chatToolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    response_format: responseFormat.nullish(),
    modalities: z.array(z.literal("text", textOnly)).nullish(),
  })
  .meta({ id: "ChatCompletionRequest" })
export type ChatRequest = z.output<typeof chatRequest>

const tokenId = integer(0, most)
const promptLength = 1 << 20

export const completionRequest = z
  .looseObject({
    model: modelName,
    prompt: z
      .union(
        [
          text,
          z.array(text).min(1).max(128),
          z.array(tokenId).min(1).max(promptLength),
          z.array(z.array(tokenId).min(1).max(promptLength)).min(1).max(128),
        ],
        "must be a text, an array of texts, an array of token ids, or an array of such arrays",
      )
      .nullish(),
    ...generationFields,
    max_tokens: integer(0, most).nullish(),
    logprobs: integer(0, 20).nullish(),
    echo: z.boolean().nullish(),
    best_of: integer(1, 128).nullish(),
    suffix: z.literal("", "is not done by this model: it continues texts, it does not fill them").nullish(),
  })
  .meta({ id: "CompletionRequest" })
export type CompletionRequest = z.output<typeof completionRequest>

export const embeddingRequest = z
  .looseObject({
    model: modelName,
    input: z.union(
      [
        text.min(1),
        z.array(text.min(1)).min(1).max(2048),
        z.array(tokenId).min(1).max(promptLength),
        z.array(z.array(tokenId).min(1).max(promptLength)).min(1).max(2048),
      ],
      "must be a text, an array of texts, an array of token ids, or an array of such arrays, none empty",
    ),
    encoding_format: z.enum(["float", "base64"]).nullish(),
    dimensions: integer(1, 1 << 20).nullish(),
    user: z.string().max(1024).nullish(),
  })
  .meta({ id: "EmbeddingRequest" })
