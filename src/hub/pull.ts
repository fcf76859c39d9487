// Pulls a model from a Hugging Face hub into the cache that the other tools share: lists, chooses, checks the
// space, downloads, verifies, and only then shows the files under their names.
// Own code and not @huggingface/hub: 2.17.5 neither resumes, retries nor verifies a download, lets two processes
// write one part file, and brings a WebAssembly package for its chunk storage.
import { mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { CriaError, HubError, InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import {
  type CachedRepository,
  cachedRepository,
  checkDiskSpace,
  hasFile,
  placeInSnapshot,
  writeRef,
} from "./cache.js"
import { type Choice, chooseFiles } from "./choose-files.js"
import { downloadFile } from "./download.js"
import { findInCache } from "./list-huggingface.js"
import { type Environment, hubEndpoint, huggingFaceCache, hubToken, isOn } from "./folders.js"
import type { HubConnection, Subject } from "./http.js"
import { isRevision, parseModelId } from "./model-id.js"
import { findParts } from "./part-file.js"
import { ProgressReport, type PullProgress } from "./progress.js"
import { describeModel, type RemoteFile } from "./repository.js"
import { type Transport, transport } from "./transport.js"

/** Options of {@link pullModel}. */
export interface PullOptions {
  /** Hub token; default `HF_TOKEN` or the login's token file; `false` sends none. */
  readonly token?: string | false
  /** Branch, tag or commit; default the one in the id, then `main`. */
  readonly revision?: string
  /** Address of the hub; default `HF_ENDPOINT`, then the public one. */
  readonly endpoint?: string
  /** The Hugging Face cache to use; default `HF_HUB_CACHE`, `HF_HOME/hub`, `~/.cache/huggingface/hub`. */
  readonly cacheFolder?: string
  /** Take exactly the files that match (`*` for anything, `folder/` for all in it) instead of what a model needs. */
  readonly include?: readonly string[]
  readonly onProgress?: (progress: PullProgress) => void
  /** Stops the pull; what came is kept and resumed by the next one. */
  readonly signal?: AbortSignal
  /** Use only what is on disk; default `HF_HUB_OFFLINE`. */
  readonly offline?: boolean
  /** Files at a time, 1 to 16; default 4. */
  readonly concurrency?: number
  /** Repetitions of a request that brings nothing new; default 6. */
  readonly retries?: number
  /** First pause before a repetition in ms, doubled each time up to 30 s; default 500. */
  readonly retryDelay?: number
  /** Silence after which a connection counts as cut, in ms; default 60 000. */
  readonly stallTimeout?: number
  /** Another `fetch`, for example one that goes through a proxy; redirects must be left to the caller. */
  readonly fetch?: Transport
  /** Default `process.env`. */
  readonly environment?: Environment
}

/** A model on this disk after a pull. */
export interface PulledModel {
  /** What to load: the snapshot folder, a subfolder of it, or one file (GGUF, llama2.c). */
  readonly path: string
  readonly repository: string
  readonly revision: string
  /** Commit of the files; undefined when offline and unknown. */
  readonly commit: string | undefined
  readonly format: Choice<RemoteFile>["format"]
  /** All files of the model; `cached` ones were there before. */
  readonly files: readonly { path: string; bytes: number; cached: boolean }[]
  readonly bytes: number
  /** Bytes that came over the network. */
  readonly received: number
}

/**
 * Brings a model of a Hugging Face hub to this disk, resuming what an earlier pull left.
 *
 * @throws InvalidOptionError (bad id, several models and none named), ModelNotFoundError, HubError (gated, network,
 *   damaged content, no space), or the reason of the signal.
 */
export async function pullModel(id: string, options: PullOptions = {}): Promise<PulledModel> {
  options.signal?.throwIfAborted()
  const environment = options.environment ?? process.env
  const model = parseModelId(id)
  const revision = options.revision ?? model.revision ?? "main"
  if (!isRevision(revision))
    throw new InvalidOptionError(`revision "${revision}" is not a branch, tag or commit`)
  const cacheFolder = resolve(options.cacheFolder ?? huggingFaceCache(environment))
  const subject: Subject = { repository: model.repository, revision }
  if (options.offline ?? isOn(environment["HF_HUB_OFFLINE"]))
    return pullOffline(cacheFolder, subject, model.selection, options.include)

  const ended = new AbortController()
  const hub = await connect(options, environment, ended.signal)
  const stop = () => ended.abort(options.signal!.reason)
  options.signal?.addEventListener("abort", stop, { once: true })
  if (options.signal?.aborted) stop()
  try {
    return await pullOnline(hub, subject, model.selection, cacheFolder, options, ended)
  } catch (error) {
    throw diskFailure(error, cacheFolder)
  } finally {
    options.signal?.removeEventListener("abort", stop)
  }
}

async function connect(
  options: PullOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<HubConnection> {
  return {
    endpoint: hubEndpoint(options.endpoint, environment),
    token: await hubToken(options.token, environment),
    fetch: options.fetch ?? transport,
    signal,
    retries: inRange("retries", options.retries, 6, 0, 1000),
    retryDelay: inRange("retryDelay", options.retryDelay, 500, 0, 30_000),
    stallTimeout: inRange("stallTimeout", options.stallTimeout, 60_000, 1, 600_000),
  }
}

function inRange(
  name: string,
  value: number | undefined,
  preset: number,
  least: number,
  most: number,
): number {
  const number = value ?? preset
  if (!Number.isInteger(number) || number < least || number > most)
    throw new InvalidOptionError(`${name} must be a whole number from ${least} to ${most}, got ${value}`)
  return number
}

async function pullOnline(
  hub: HubConnection,
  subject: Subject,
  selection: string | undefined,
  cacheFolder: string,
  options: PullOptions,
  ended: AbortController,
): Promise<PulledModel> {
  const workers = inRange("concurrency", options.concurrency, 4, 1, 16)
  const { commit, files } = await describeModel(hub, subject)
  const choice = chooseFiles(subject.repository, files, selection, options.include)
  const cached = cachedRepository(cacheFolder, subject.repository)
  await mkdir(cached.blobs, { recursive: true })

  const here = new Set<RemoteFile>()
  for (const file of choice.files) if (await hasFile(cached, commit, file)) here.add(file)
  await checkDiskSpace(
    cached.blobs,
    await bytesToCome(
      cached,
      choice.files.filter((file) => !here.has(file)),
    ),
  )

  const report = new ProgressReport(choice.bytes, options.onProgress)
  // Small files first: a gated model refuses at once, and the settings are there before the weights.
  const queue = choice.files.toSorted((a, b) => a.size - b.size)
  const work = async () => {
    for (let file = queue.shift(); file && !hub.signal?.aborted; file = queue.shift()) {
      const progress = report.file(file.path, file.size)
      if (here.has(file)) progress.set("cached", file.size)
      else await bring(hub, subject, cached, commit, file, progress)
      await placeInSnapshot(cached, commit, file.path, file.checksum.hex)
    }
  }
  const results = await Promise.allSettled(
    Array.from({ length: workers }, () =>
      work().catch((error: unknown) => {
        ended.abort(error) // the others stop, and what they throw then is this same error
        throw error
      }),
    ),
  )
  const failed = results.find((result) => result.status === "rejected")
  if (failed) throw hub.signal?.aborted ? hub.signal.reason : failed.reason
  hub.signal?.throwIfAborted()
  await writeRef(cached, subject.revision, commit)
  return {
    path: join(cached.snapshots, commit, choice.entry),
    repository: subject.repository,
    revision: subject.revision,
    commit,
    format: choice.format,
    files: choice.files.map((file) => ({ path: file.path, bytes: file.size, cached: here.has(file) })),
    bytes: choice.bytes,
    received: report.received,
  }
}

function bring(
  hub: HubConnection,
  subject: Subject,
  cached: CachedRepository,
  commit: string,
  file: RemoteFile,
  progress: ReturnType<ProgressReport["file"]>,
): Promise<void> {
  return downloadFile(hub, {
    file,
    commit,
    subject: { ...subject, file: file.path },
    blobs: cached.blobs,
    isDone: () => hasFile(cached, commit, file),
    progress,
  })
}

/** Bytes that are not on disk yet, parts counted. */
async function bytesToCome(cached: CachedRepository, files: readonly RemoteFile[]): Promise<number> {
  const parts = new Map((await findParts(cached.blobs)).map((part) => [part.name.split(".")[0], part.size]))
  return files.reduce((sum, file) => sum + Math.max(0, file.size - (parts.get(file.checksum.hex) ?? 0)), 0)
}

async function pullOffline(
  cacheFolder: string,
  subject: Subject,
  selection: string | undefined,
  include: readonly string[] | undefined,
): Promise<PulledModel> {
  const found = await findInCache(cacheFolder, subject.repository, subject.revision, selection, include)
  if (!found)
    throw new ModelNotFoundError(
      `${subject.repository} (${subject.revision}) is not on this disk, and the hub is not asked: pull it once ` +
        `with offline off and HF_HUB_OFFLINE unset`,
    )
  return {
    path: found.path,
    repository: subject.repository,
    revision: subject.revision,
    commit: found.commit,
    format: found.choice.format,
    files: found.choice.files.map((file) => ({ path: file.path, bytes: file.size, cached: true })),
    bytes: found.choice.bytes,
    received: 0,
  }
}

/** What the file system refuses, in words that help. */
function diskFailure(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error instanceof CriaError) return error
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === undefined || code === undefined) return error
  const advice =
    code === "ENOSPC" || code === "EDQUOT"
      ? `the disk is full: free some space and pull again, it will resume`
      : code === "EACCES" || code === "EPERM" || code === "EROFS"
        ? `it may not be written: set HF_HUB_CACHE to a folder of yours`
        : `${code} in ${syscall}: pull again`
  return new HubError(`the model could not be stored in ${folder}: ${advice}`, { cause: error })
}
