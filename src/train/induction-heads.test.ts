import { expect, test } from "vitest"
import { ReferenceBackend } from "../backends/reference/reference.js"
import { tinyConfig } from "../engine/tiny-model-fixture.js"
import { InvalidOptionError } from "../errors/index.js"
import type { ModelConfig } from "../model/config.js"
import { forward } from "../model/llama.js"
import { buildInductionHeads } from "./induction-heads.js"
import { newModelValues } from "./model-values.js"
import { trainWhole } from "./trainable.js"

const config: ModelConfig = {
  ...tinyConfig,
  width: 192,
  layers: 2,
  queryHeads: 4,
  kvHeads: 2,
  headWidth: 64,
  feedForwardWidth: 96,
  ropeTheta: 10_000,
  ropeScaling: undefined,
}

/** How often the token after each one is the likeliest in a list that comes twice, but for the token itself. */
async function copied(built: boolean): Promise<number> {
  const backend = await ReferenceBackend.create()
  const values = newModelValues(config, 0.06, 1)
  if (built) buildInductionHeads(values, config, 0.06, 1)
  const { model } = trainWhole(backend, config, ({ name }) => ({ value: values.get(name)! })).bind(backend)
  const list = Array.from({ length: 24 }, (_, i) => (i * 97 + 5) % 251)
  const ids = Int32Array.from([...list, ...list])
  const rows = ids.length
  const logits = await backend.read(
    forward(backend, model, {
      ids,
      positions: Int32Array.from({ length: rows }, (_, i) => i),
      sequences: [{ first: 0, length: rows, cached: 0, pages: new Int32Array(0) }],
      outputs: Int32Array.from({ length: rows }, (_, i) => i),
    }),
  )
  const V = config.vocabularySize
  let right = 0
  for (let i = list.length; i < rows - 1; i++) {
    const row = [...logits.subarray(i * V, (i + 1) * V)]
    row[ids[i]] = Number.NEGATIVE_INFINITY
    if (row.indexOf(Math.max(...row)) === ids[i + 1]) right++
  }
  await backend.dispose()
  return right / (list.length - 1)
}

test("a model with built induction heads copies what followed a token before, without any training", async () => {
  expect(await copied(true)).toBeGreaterThan(0.8)
  expect(await copied(false)).toBeLessThan(0.2)
})

test("a model that has no room for them is refused", () => {
  for (const small of [
    { ...config, layers: 1 },
    { ...config, width: 128 },
  ])
    expect(() => buildInductionHeads(newModelValues(small, 0.06, 1), small, 0.06, 1)).toThrow(
      InvalidOptionError,
    )
})
