// Training by recipe (Node only): what `cria train` does, as functions.
//
//   const recipe = parseRecipe(await readFile("recipe.yaml", "utf8"), "recipe.yaml")
//   if (recipe.method !== "sample") await train(recipe, { folder: ".", onStep: ({ step, loss }) => console.log(step, loss) })
export * from "./index.js"
export { parseOverride, parseRecipe } from "./recipe/read.js"
export {
  type AnyRecipe,
  type Recipe,
  type RecipeInput,
  recipeSchema,
  type SampleRecipe,
} from "./recipe/schema.js"
export { RewardModel } from "./reward-model.js"
export { train, type RunOptions } from "./run.js"
export type { MeasureLine, RunHooks, RunPlan, RunResult, StepProgress } from "./run-events.js"
export { type JudgedAnswer, sample, type SampleHooks, type SampleResult } from "./sample.js"
