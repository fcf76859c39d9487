// Prepares the open corpus for the default model:
//
//   npx tsx recipes/default/text/corpus.ts CORPUS OUT
//
// CORPUS holds `<language>.<source>.txt.gz` (documents between lines `<|doc|>`). The last documents of every file are
// held out: OUT/corpus-held-out/<language>.txt. Of the others as much goes to OUT/corpus/<language>.<source>.txt as a
// small model can use: much of what is simple and of today, little of novels and of technical text.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { languageCodes } from "./language.js"

/** Characters of a language that are taken of each source at most; what is not named is left out. */
const most: Readonly<Record<string, number>> = {
  stories: 2_000_000,
  cv: 1_500_000,
  eltec: 700_000,
  aozora: 700_000,
  thaigov: 500_000,
  osguide: 120_000,
  azd: 60_000,
}
/** Novels are as long as a whole source of the others: of each some pages, from its middle. */
const mostOfDocument = 12_000
/** Of each source this part of the documents is held out, and so many characters at most. */
const heldOutPart = 0.02
const mostHeldOut = 15_000
const separator = "<|doc|>"

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ntilde: "ñ",
  ccedil: "ç",
  iexcl: "¡",
  iquest: "¿",
  laquo: "«",
  raquo: "»",
}
const accents: Readonly<Record<string, string>> = {
  acute: "\u0301",
  grave: "\u0300",
  circ: "\u0302",
  tilde: "\u0303",
  uml: "\u0308",
}

/** Text as people write it: entities as letters, no soft hyphens, one kind of white space. */
export function cleaned(text: string): string {
  return text
    .replace(/&([a-zA-Z])(acute|grave|circ|tilde|uml);/g, (_, letter: string, accent: string) =>
      (letter + accents[accent]).normalize("NFC"),
    )
    .replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)
    .replace(/[\u00ad\u200b\ufeff]/g, "")
    .replace(/[ \t\u00a0\u202f]+/g, " ")
    .replace(/ *\n */g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim()
}

/** Lines of one book page, joined: a break after a letter or a comma is none of the author's. */
const unwrapped = (text: string) => text.replace(/([\p{L}\p{M},;])\n(?=\p{Ll})/gu, "$1 ")

/** Some pages of a long document, whole lines. */
function excerpt(text: string): string {
  if (text.length <= mostOfDocument) return text
  const from = text.indexOf("\n", Math.floor((text.length - mostOfDocument) / 2)) + 1
  const to = text.lastIndexOf("\n", from + mostOfDocument)
  return text.slice(from, to > from ? to : from + mostOfDocument).trim()
}

/** The documents to learn from and those to measure on: always the last ones, so both are fixed. */
export function divided(source: string, text: string): { training: string[]; heldOut: string[] } {
  const documents = text
    .split(`\n${separator}\n`)
    .map((document) => excerpt(source === "stories" ? unwrapped(cleaned(document)) : cleaned(document)))
    .filter((document) => document.length > 20)
  const count = Math.max(1, Math.ceil(documents.length * heldOutPart))
  return { training: documents.slice(0, -count), heldOut: documents.slice(-count) }
}

/** As many of the documents as fit, evenly over the whole list. */
function atMost(documents: readonly string[], characters: number): string[] {
  const total = documents.reduce((sum, document) => sum + document.length, 0)
  if (total <= characters) return [...documents]
  const part = characters / total
  return documents.filter((_, i) => Math.floor((i + 1) * part) > Math.floor(i * part))
}

async function main([corpus, out]: string[]): Promise<void> {
  if (out === undefined) {
    console.error("usage: npx tsx recipes/default/text/corpus.ts CORPUS OUT")
    process.exit(2)
  }
  await mkdir(join(out, "corpus"), { recursive: true })
  await mkdir(join(out, "corpus-held-out"), { recursive: true })
  const files = (await readdir(corpus)).filter((name) => name.endsWith(".txt.gz")).toSorted()
  const heldOut = new Map<string, string[]>()
  for (const file of files) {
    const [language, source] = file.split(".")
    if (most[source] === undefined || !languageCodes.some((code) => code === language)) continue
    const parts = divided(source, gunzipSync(await readFile(join(corpus, file))).toString("utf8"))
    const kept = atMost(parts.training, most[source])
    const text = `${kept.join(`\n${separator}\n`)}\n`
    await writeFile(join(out, "corpus", `${language}.${source}.txt`), text)
    const measured = atMost(parts.heldOut, mostHeldOut)
    heldOut.set(language, [
      ...(heldOut.get(language) ?? []),
      ...(measured.length > 0 ? measured : [parts.heldOut[0].slice(0, mostHeldOut)]),
    ])
    console.log(
      `${file.padEnd(22)} ${String(kept.length).padStart(6)} documents ${(Buffer.byteLength(text) / 1e6).toFixed(2).padStart(6)} MB`,
    )
  }
  for (const [language, documents] of heldOut)
    await writeFile(
      join(out, "corpus-held-out", `${language}.txt`),
      `${documents.join(`\n${separator}\n`)}\n`,
    )
}

if (process.argv[1]?.endsWith("corpus.ts")) await main(process.argv.slice(2))
