// What a recipe may say: one strict schema a method. Unknown keys are errors, numbers have bounds, defaults are those of
// small models. Knows neither YAML nor files.
import * as z from "zod"
import { adapterTargets } from "../../adapters/targets.js"
import { weightKinds } from "../../weights/kind.js"

const path = z.string().min(1).max(4096)
const paths = z.union([path, z.array(path).min(1).max(10_000)]).transform((value) => [value].flat())
const whole = z.number().int()
const positive = whole.positive().max(2 ** 31 - 1)
const fraction = z.number().min(0).max(1)

const newModel = z.strictObject({
  /** A tokenizer.json, or a folder that has one. */
  tokenizer: path,
  width: positive.max(65536),
  layers: positive.max(1024),
  queryHeads: positive.max(1024),
  kvHeads: positive.max(1024),
  /** Default: width / queryHeads. */
  headWidth: positive.max(1024).optional(),
  feedForwardWidth: positive.max(2 ** 20),
  contextLength: positive.default(2048),
  ropeTheta: z.number().positive().default(10_000),
  normEpsilon: z.number().positive().max(0.1).default(1e-5),
  tiedEmbeddings: z.boolean().default(true),
  /** Standard deviation of the initial weights; those that write into the residual stream are divided by sqrt(2 layers). */
  deviation: z.number().positive().max(1).default(0.02),
  /** Whether the first two layers begin with heads that copy what followed the same token earlier: for small runs. */
  inductionHeads: z.boolean().default(false),
  /** A Jinja chat template to ship with the model. Default: the built-in format of Llama 3.2. */
  chatTemplate: path.optional(),
})

const model = z
  .strictObject({
    from: path.optional(),
    new: newModel.optional(),
    /** What the model recommends to those who run it, in generation_config.json. Default: as before. */
    sampling: z
      .strictObject({
        temperature: z.number().min(0).max(100).optional(),
        topP: z.number().gt(0).max(1).optional(),
      })
      .optional(),
  })
  .refine(
    ({ from, new: made }) => (from === undefined) !== (made === undefined),
    "expected either `from:` with the folder of a model, or `new:` with the numbers of one",
  )

const adapter = z.strictObject({
  rank: positive.max(4096).default(16),
  /** The update is multiplied by alpha / rank. Default: twice the rank. */
  alpha: z.number().positive().max(1e6).optional(),
  targets: z
    .array(z.enum(adapterTargets))
    .min(1)
    .default([...adapterTargets]),
  /** Kind in which the frozen weights are held. Default: as in the file. */
  base: z.enum(["auto", ...weightKinds]).default("auto"),
  /** Whether the final model has the adapter merged into its weights; else it is written apart, in the format of PEFT. */
  merge: z.boolean().default(false),
})

const source = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "a name of 1 to 64 letters, digits, dots, underscores or hyphens")
    .optional(),
  /** Files by path; `*` stands for any part of a name. */
  files: paths,
  /** What the files hold. Default: what the method learns from, `text` to pretrain and to distill, `chat` for sft. */
  examples: z.enum(["text", "chat"]).optional(),
  /** Factor on the source's share of the tokens. */
  weight: z.number().positive().max(1e6).default(1),
})

const data = z.strictObject({
  sources: z.array(source).min(1).max(1000),
  /** Shares of the sources go with tokens^(1/temperature): 1 reads all equally often, more evens them out. */
  temperature: z.number().min(1).max(1000).default(1),
  /** Longest sequence in tokens. Default: the context of the model, at most 1024. */
  context: positive
    .min(2)
    .max(2 ** 20)
    .optional(),
  /** Part of the examples that is kept from training and measured. */
  validation: fraction.max(0.5).default(0.01),
  /** Files to measure instead of a part of the sources. */
  validationFiles: paths.optional(),
  /** Where tokenized data is kept between runs. Default: `data` in the folder of the run. */
  cache: path.optional(),
})

const batch = z.strictObject({
  /** Tokens of one optimizer step. */
  tokens: positive.min(2).default(16_384),
  /** Tokens that go through the model at once; the gradients of several add up to a step. */
  microTokens: positive.min(2).default(4096),
})

const optimizer = z.strictObject({
  learningRate: z.number().positive().max(10).default(1e-3),
  beta1: fraction.lt(1).default(0.9),
  beta2: fraction.lt(1).default(0.95),
  epsilon: z.number().positive().max(1).default(1e-8),
  /** Of matrices; norms never decay. */
  weightDecay: z.number().min(0).max(10).default(0.1),
  /** Whether embeddings (and the output layer) decay as well. */
  decayEmbeddings: z.boolean().default(false),
  /** Largest norm of the whole gradient; 0 clips nothing. */
  clip: z.number().min(0).max(1e6).default(1),
})

const schedule = z.strictObject({
  /** Length of the run in one of three units. */
  steps: positive.optional(),
  tokens: z.number().positive().max(1e15).optional(),
  epochs: z.number().positive().max(10_000).optional(),
  /** Steps, or a part of the run where it is below 1. */
  warmup: z
    .number()
    .min(0)
    .max(2 ** 31 - 1)
    .default(0.02),
  shape: z.enum(["cosine", "linear", "wsd", "constant"]).default("cosine"),
  /** The rate at the end, as a part of the peak. */
  floor: fraction.default(0.1),
  /** Part of the run over which `wsd` falls. */
  decay: fraction.gt(0).default(0.2),
  anneal: z
    .strictObject({
      /** Last steps, or part of the run where it is below 1: the rate falls to 0. */
      steps: z
        .number()
        .positive()
        .max(2 ** 31 - 1),
      /** Other factors on the shares of sources meanwhile, by their names. */
      weights: z.record(z.string(), z.number().min(0).max(1e6)).default({}),
    })
    .optional(),
})

const validate = z.strictObject({
  /** Steps between measurements; 0 measures at the end only. */
  every: whole.min(0).default(200),
  /** Tokens of the held-out data that a measurement reads at most. */
  tokens: positive.default(65_536),
})

const checkpoints = z.strictObject({
  /** Steps between checkpoints; 0 writes one at the end only. */
  every: whole.min(0).default(200),
  /** And at the latest after so many minutes. */
  minutes: z.number().positive().max(10_000).default(15),
  /** How many of the last are kept. */
  keep: positive.max(1000).default(2),
  /** The final model has the mean of the weights of so many last checkpoints. */
  average: positive.max(1000).default(1),
})

const factor = z.strictObject({
  kilogramsPerKilowattHour: z.number().min(0).max(10),
  /** Where the figure is from. */
  source: z.string().min(1).max(1000),
})

/** What energy and emissions are counted with; see `cria card`. */
const energy = z.strictObject({
  /** Design power of the processor, where its counters cannot be read. */
  processorWatts: z.number().positive().max(100_000).optional(),
  accelerators: z.boolean().optional(),
  /** Energy of the site for each unit of the devices. */
  usageEffectiveness: z.number().min(1).max(10).optional(),
  /** Of the grid, and of the contract. */
  location: factor.optional(),
  market: factor.optional(),
})

const run = {
  /** Folder of the run: checkpoints, metrics, and the model at the end. */
  output: path,
  /** Texts that `${name}` stands for in this file. */
  variables: z.record(z.string(), z.string()).optional(),
  seed: whole.min(0).max(Number.MAX_SAFE_INTEGER).default(1),
  backend: z.string().default("auto"),
  threads: positive.max(1024).optional(),
  /** Keeps the inside of a block out of memory and computes it again on the way back. */
  recompute: z.boolean().default(false),
  model,
  data,
  batch: batch.prefault({}),
  optimizer: optimizer.prefault({}),
  schedule: schedule.prefault({}),
  validate: validate.prefault({}),
  checkpoints: checkpoints.prefault({}),
  /** Kind of the matrices in the final model. */
  save: z.enum(["f32", "bf16", "f16"]).default("f32"),
  adapter: adapter.optional(),
  energy: energy.optional(),
}

/** How conversations are written as tokens; by default as the engine does it. */
const chat = z.strictObject({
  /** Whether the lines about knowledge and date stand in the system turn. */
  dateLines: z.boolean().optional(),
  /** The day of the date line. */
  date: z.string().max(200).default("26 Jul 2024"),
  toolsIn: z.enum(["system", "user"]).optional(),
  toolStyle: z.enum(["json", "pythonic"]).optional(),
  /** What is learned: all turns of the assistant, the last, or every token. Default: every token to pretrain, else all. */
  turns: z.enum(["all", "last", "everything"]).optional(),
})
const conversations = { ...run, chat: chat.prefault({}) }

const teacher = z.strictObject({
  from: path,
  /** Kind in which its weights are held. */
  weights: z.enum(["auto", ...weightKinds]).default("auto"),
  /** Part of the loss that is the cross-entropy with the text itself. */
  hard: fraction.default(0.5),
  divergence: z.enum(["forward", "reverse"]).default("forward"),
  temperature: z.number().positive().max(100).default(1),
  /** Likeliest tokens that the forward divergence looks at. */
  topK: positive.max(4096).default(64),
  /** Asks the teacher about all data once, before training, and keeps its likeliest tokens on disk: 8 topK bytes a token. */
  ahead: z.boolean().default(false),
})

const judge = z
  .strictObject({
    /** Folder of a reward model. */
    reward: path.optional(),
    /** A JavaScript module that exports `check(example, answer)`: the example's line, what was answered; a number or boolean. */
    checker: path.optional(),
    /** Answers that are judged lower are not kept, however they compare. */
    least: z.number().optional(),
  })
  .refine(
    ({ reward, checker }) => (reward === undefined) !== (checker === undefined),
    "expected either `reward:` with the folder of a reward model, or `checker:` with a module",
  )

const methods = [
  /** Text, and conversations of which every token is learned. */
  z.strictObject({ method: z.literal("pretrain"), ...conversations }),
  z.strictObject({ method: z.literal("distill"), ...conversations, teacher }),
  z.strictObject({ method: z.literal("sft"), ...conversations }),
  z.strictObject({ method: z.literal("reward"), ...conversations }),
  z.strictObject({
    method: z.literal("dpo"),
    ...conversations,
    preference: z
      .strictObject({
        beta: z.number().positive().max(100).default(0.1),
        /** Weight of the chosen answer's likelihood. Llama 3 has 0.2, the plain form 0. */
        nll: z.number().min(0).max(100).default(0.2),
        /** Whether special tokens are left out of the comparison, as Llama 3 does. */
        maskSpecial: z.boolean().default(true),
        /** Model that answers are compared with. Default: the one that training begins with. */
        reference: path.optional(),
      })
      .prefault({}),
  }),
] as const

/** Sampling trains nothing: it writes the data of the next stage. */
const sample = z.strictObject({
  method: z.literal("sample"),
  /** Folder that gets sft.jsonl (the best answers) and preferences.jsonl (the best against the worst). */
  output: path,
  variables: z.record(z.string(), z.string()).optional(),
  seed: whole.min(0).max(Number.MAX_SAFE_INTEGER).default(1),
  backend: z.string().default("auto"),
  threads: positive.max(1024).optional(),
  model: z.strictObject({ from: path }),
  data: z.strictObject({ files: paths }),
  chat: chat.prefault({}),
  /** Answers to each prompt. */
  samples: positive.max(128).default(8),
  temperature: z.number().positive().max(100).default(0.8),
  topP: fraction.gt(0).default(0.95),
  maxTokens: positive.default(256),
  /** Prompts that are answered at the same time. */
  parallel: positive.max(256).default(8),
  judge,
})

const names = ["pretrain", "distill", "sft", "reward", "dpo", "sample"]

export const recipeSchema = z.discriminatedUnion("method", [...methods, sample], {
  error: (issue) =>
    issue.code === "invalid_union" ? `method must be one of ${names.join(", ")}` : undefined,
})

export type AnyRecipe = z.infer<typeof recipeSchema>
/** A recipe that trains. */
export type Recipe = Exclude<AnyRecipe, { method: "sample" }>
export type SampleRecipe = Extract<AnyRecipe, { method: "sample" }>
export type RecipeInput = z.input<typeof recipeSchema>
