// Names of models on a hub: parsing, strict validation, and the folder a model has in the Hugging Face cache.
// Knows no disk and no network. Whatever leaves this file is safe to put into a path or a URL.
import { InvalidOptionError } from "../errors/index.js"

/** A model on a hub, and what of it is meant. */
export interface ModelId {
  readonly owner: string
  readonly name: string
  /** `owner/name`, as the hub calls the repository. */
  readonly repository: string
  /** Branch, tag or commit after `@`. */
  readonly revision: string | undefined
  /** What stands after `:`: a quantization name, a file or a subfolder of the repository. */
  readonly selection: string | undefined
}

const longestId = 1024
const wordPattern = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/
const webPrefix = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\//

/** Whether a name could be a relative path that stays inside its folder, on every system. */
export function isSafeRelativePath(path: string): boolean {
  if (path.length === 0 || path.length > longestId) return false
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f\\:]/.test(path)) return false
  return path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.length <= 255)
}

/** What is wrong with a word of an id, or undefined. */
function wordFault(word: string): string | undefined {
  if (!wordPattern.test(word)) return `"${printable(word)}" is not a name on the hub`
  if (word.includes("--") || word.includes("..")) return `"${word}" contains "--" or ".."`
  return word.endsWith(".git") ? `"${word}" ends in ".git"` : undefined
}

/**
 * Parses `owner/name[@revision][:selection]`, where the selection is a quantization name (`Q4_0`), a file
 * (`model-Q4_0.gguf`) or a subfolder (`stories260K`). A leading `hf.co/` or `https://huggingface.co/` is dropped.
 *
 * @throws InvalidOptionError where it is not such an id; nothing that leaves a folder (`..`, `/x`, NUL) passes.
 */
export function parseModelId(text: string): ModelId {
  const shape = "owner/name, optionally with @revision and :quantization, :file.gguf or :subfolder"
  const refuse = (why: string): never => {
    throw new InvalidOptionError(`"${printable(text)}" is not a model id: ${why}; expected ${shape}`)
  }
  if (text.length > longestId) refuse(`it has ${text.length} characters, at most ${longestId} are allowed`)
  const match = /^([^/@:]+)\/([^/@:]+)(?:@([^:@]+))?(?::([^:]+))?$/.exec(text.replace(webPrefix, ""))
  if (!match) return refuse("it does not have that form")
  const [, owner, name, revision, selection] = match
  const fault = wordFault(owner) ?? wordFault(name)
  if (fault) refuse(fault)
  if (revision !== undefined && !isRevision(revision))
    refuse(`revision "${printable(revision)}" is not allowed`)
  if (selection !== undefined && !isSafeRelativePath(selection))
    refuse(`"${printable(selection)}" is not a file or quantization name inside the model`)
  return { owner: owner, name: name, repository: `${owner}/${name}`, revision, selection }
}

/** Whether a text may be a git branch, tag, pull reference (`refs/pr/1`) or commit. */
export function isRevision(text: string): boolean {
  return text.length <= 255 && /^[A-Za-z0-9][A-Za-z0-9._/+-]*$/.test(text) && isSafeRelativePath(text)
}

/** Writes an id the way {@link parseModelId} reads it; the revision `main` is left out. */
export function formatModelId(repository: string, revision?: string, selection?: string): string {
  const at = revision === undefined || revision === "main" ? "" : `@${revision}`
  return `${repository}${at}${selection === undefined ? "" : `:${selection}`}`
}

/** The folder of a model in the Hugging Face cache: `models--owner--name`. */
export function cacheFolderName(repository: string): string {
  return `models--${repository.replace("/", "--")}`
}

/** The inverse of {@link cacheFolderName}; undefined for folders that are no model of the form `owner/name`. */
export function repositoryOfFolder(folder: string): string | undefined {
  const parts = folder.split("--")
  if (parts.length !== 3 || parts[0] !== "models") return undefined
  return wordFault(parts[1]) || wordFault(parts[2]) ? undefined : `${parts[1]}/${parts[2]}`
}

/** A text from outside, made harmless for one line of a message. */
export function printable(text: string, longest = 160): string {
  const line = text
    .slice(0, longest + 1)
    // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]+/g, " ")
  return line.length > longest ? `${line.slice(0, longest)}…` : line
}

/** Bytes for a reader: 771 MB, 2.47 GB (decimal, as disks and the hub count). */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  let value = bytes
  let unit = -1
  while (value >= 999.5 && unit < 4) {
    value /= 1000
    unit++
  }
  return `${value.toPrecision(3)} ${["kB", "MB", "GB", "TB", "PB"][unit]}`
}
