// The recipes of the project are what the schema takes.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { parseRecipe } from "./read.js"

const folder = fileURLToPath(new URL("../../../recipes", import.meta.url))
const recipes = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".yaml"),
)

test.each(recipes)("%s", (file) => {
  const recipe = parseRecipe(readFileSync(join(folder, file), "utf8"), file)
  expect(JSON.stringify(recipe)).not.toContain("${")
})

test("every method has one", () => {
  const methods = recipes.map((file) => parseRecipe(readFileSync(join(folder, file), "utf8"), file).method)
  expect([...new Set(methods)].toSorted()).toEqual(["distill", "dpo", "pretrain", "reward", "sample", "sft"])
})
