// The C++ kernels alone, without Node: every instruction set that can be run or emulated here, under sanitizers where
// the processor itself runs them. The cases are in src/backends/native/kernels/test.
import { execFile, execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"

const script = fileURLToPath(new URL("../scripts/test-native-kernels.mjs", import.meta.url))
const variants = execFileSync(process.execPath, [script, "--list"], { encoding: "utf8" }).trim().split("\n")
const cannotRun = 77

test.for(variants)("kernels: %s", { timeout: 600_000 }, async (variant, context) => {
  const { code, output } = await promisify(execFile)(process.execPath, [script, variant]).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: `${error.stdout}${error.stderr}`,
    }),
  )
  if (code === cannotRun) context.skip(output.trim())
  expect(code, output).toBe(0)
  expect(output).toMatch(/^ok /m)
})
