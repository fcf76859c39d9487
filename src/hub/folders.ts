// Where models, tokens and hubs are on this machine: the environment variables and default folders that the
// Hugging Face tools, Ollama and LM Studio use themselves. Reads the token file, nothing else of the disk.
import { readFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { InvalidOptionError } from "../errors/index.js"

/** The environment, as a plain object: `process.env` unless a caller passes another. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The folders in which models are looked for. */
export interface ModelFolders {
  /** The Hugging Face hub cache (`models--owner--name` inside). */
  readonly huggingface: readonly string[]
  /** Ollama's models (`manifests` and `blobs` inside). */
  readonly ollama: readonly string[]
  /** LM Studio's models (`publisher/name/*.gguf` inside). */
  readonly lmstudio: readonly string[]
}

const home = (env: Environment) => env["HOME"] || env["USERPROFILE"] || homedir()

/** A folder from the environment, with `~` opened. */
function folder(env: Environment, text: string): string {
  return resolve(text.replace(/^~(?=$|[/\\])/, () => home(env)))
}

/** The user's cache folder: `XDG_CACHE_HOME`, or `.cache` in the home folder. */
export const userCache = (env: Environment = process.env): string =>
  env["XDG_CACHE_HOME"] ? folder(env, env["XDG_CACHE_HOME"]) : join(home(env), ".cache")

/** `HF_HOME`, or `huggingface` in the user's cache folder. */
export const huggingFaceHome = (env: Environment = process.env): string =>
  env["HF_HOME"] ? folder(env, env["HF_HOME"]) : join(userCache(env), "huggingface")

/** The Hugging Face hub cache: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, or `hub` in {@link huggingFaceHome}. */
export function huggingFaceCache(env: Environment = process.env): string {
  const named = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"]
  return named ? folder(env, named) : join(huggingFaceHome(env), "hub")
}

/** All the folders that {@link listModels} searches unless told otherwise. */
export function modelFolders(env: Environment = process.env): ModelFolders {
  const user = home(env)
  return {
    huggingface: [huggingFaceCache(env)],
    ollama: env["OLLAMA_MODELS"]
      ? [folder(env, env["OLLAMA_MODELS"])]
      : [join(user, ".ollama", "models"), "/usr/share/ollama/.ollama/models"],
    lmstudio: [join(user, ".lmstudio", "models"), join(user, ".cache", "lm-studio", "models")],
  }
}

/** The hub to talk to: the option, `HF_ENDPOINT`, or the public hub. */
export function hubEndpoint(option: string | undefined, env: Environment = process.env): URL {
  const text = option ?? (env["HF_ENDPOINT"] || "https://huggingface.co")
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:") || url.username || url.password)
    throw new InvalidOptionError(
      `hub endpoint "${text}" is not an http(s) address: set HF_ENDPOINT like https://huggingface.co, or unset it`,
    )
  url.search = ""
  url.hash = ""
  url.pathname = url.pathname.replace(/\/+$/, "")
  return url
}

/**
 * The token to show to the hub: the option (`false`: none), `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, or the file
 * that the Hugging Face login writes (`HF_TOKEN_PATH`, or `token` in {@link huggingFaceHome}).
 */
export async function hubToken(
  option: string | false | undefined,
  env: Environment = process.env,
): Promise<string | undefined> {
  if (option === false) return undefined
  if (option !== undefined) return checkedToken(option, "the token option")
  const named = env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"]
  if (named) return checkedToken(named, "HF_TOKEN")
  if (isOn(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return undefined
  const path = env["HF_TOKEN_PATH"] ? folder(env, env["HF_TOKEN_PATH"]) : join(huggingFaceHome(env), "token")
  const text = await readFile(path, "utf8").catch(() => "")
  return checkedToken(text, path)
}

/** A header must not be forged by a stray newline, and a broken token should be named before the hub refuses it. */
function checkedToken(text: string, from: string): string | undefined {
  const token = text.trim()
  if (token === "") return undefined
  if (token.length > 4096 || !/^[\x21-\x7e]+$/.test(token))
    throw new InvalidOptionError(
      `${from} is not a hub token: it holds spaces or other characters; copy it again`,
    )
  return token
}

/** Whether a switch of the environment is on: 1, true, yes, on. */
export function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:1|true|yes|on)$/i.test(value)
}
