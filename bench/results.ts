// bench/RESULTS.md: one section for each comparison; a new measurement replaces the old one.
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Prints a section, which begins with its heading, and puts it in the place of the one with the same heading. */
export async function writeSection(section: string): Promise<void> {
  console.log(section)
  const file = fileURLToPath(new URL("RESULTS.md", import.meta.url))
  const old = existsSync(file) ? await readFile(file, "utf8") : "# Measured side by side\n\n"
  const heading = section.slice(0, section.indexOf("\n"))
  const sections = old.split(/^(?=## )/m).filter((known) => !known.startsWith(`${heading}\n`))
  await writeFile(file, `${sections.join("").trimEnd()}\n\n${section}`)
}
