// Ends the run with every skipped test and its reason, then one plain line of counts.
// A test gives its reason with `context.skip("why")`.
import type { Reporter, TestModule } from "vitest/node"

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const skipped: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state]++
        if (result.state === "skipped") skipped.push(`${test.fullName}: ${result.note ?? "no reason given"}`)
      }
      if (!module.ok() && module.errors().length > 0) count.failed += module.errors().length
    }
    if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.map((line) => `  ${line}`).join("\n")}`)
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
  }
}
