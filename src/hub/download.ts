// Brings one file from a hub into the blobs folder: resumes what lies there, survives cut connections, and gives
// the final name only to bytes whose checksum is right. Does not know which model the file belongs to.
import { createHash, type Hash } from "node:crypto"
import { createReadStream } from "node:fs"
import { join } from "node:path"
import { HubError } from "../errors/index.js"
import type { Answer, HubConnection, Subject } from "./http.js"
import { get, emptyBody, networkFailure, pause, TransientFailure, type Watchdog, watchdog } from "./http.js"
import { formatBytes, printable } from "./model-id.js"
import { claimPart, type PartFile } from "./part-file.js"
import type { FileProgress } from "./progress.js"
import { modelUrl, type RemoteFile } from "./repository.js"

/** What to download and where to. */
export interface DownloadJob {
  readonly file: RemoteFile
  readonly commit: string
  readonly subject: Subject
  /** The folder of the blobs; the file gets its checksum as name there. */
  readonly blobs: string
  /** Whether the file is there by now (another pull may have brought it). */
  readonly isDone: () => Promise<boolean>
  readonly progress: FileProgress
}

/** After so many new bytes a cut connection is bad luck again, not a server that never delivers. */
const forgivenAfter = 8 << 20

/** A download under way: what is on disk, and the hash of it. */
interface Transfer {
  offset: number
  hash: Hash
  /** Some bytes came from an earlier run or another connection: a wrong checksum may be theirs. */
  stitched: boolean
  /** ETag of the storage host; bytes under another one are not continued. */
  etag: string | undefined
}

/** The checksum that the hub names a file by: SHA-256 of the bytes, or git's SHA-1 of "blob <size>\0" + bytes. */
function newHash(file: RemoteFile): Hash {
  return file.checksum.algorithm === "sha256"
    ? createHash("sha256")
    : createHash("sha1").update(`blob ${file.size}\0`)
}

/**
 * Downloads, verifies and names one file.
 *
 * @throws HubError, ModelNotFoundError, or the reason of the signal. After a passing failure the part stays for
 *   the next pull; after a wrong checksum it is deleted.
 */
export async function downloadFile(hub: HubConnection, job: DownloadJob): Promise<void> {
  const { file, blobs, progress } = job
  const etag = file.checksum.hex
  const part = await claimPart(blobs, etag, job.isDone, () => progress.set("waiting", 0), hub.signal)
  if (!part) return progress.set("cached", file.size)
  try {
    await transfer(hub, job, part)
    await part.complete(join(blobs, etag))
  } catch (error) {
    await (error instanceof RefusedContent ? part.discard() : part.release())
    throw error
  }
  progress.set("verified", file.size)
}

/** The bytes are not what the hub promised; nothing of them is worth keeping. */
class RefusedContent extends HubError {
  override name = "HubError"
}

async function transfer(hub: HubConnection, job: DownloadJob, part: PartFile): Promise<void> {
  const { file, progress } = job
  const state: Transfer = { offset: 0, hash: newHash(file), stitched: false, etag: undefined }
  const restart = async () => {
    await part.restart()
    Object.assign(state, { offset: 0, hash: newHash(file), stitched: false, etag: undefined })
  }
  if (part.inherited > file.size) await restart()
  else if (part.inherited > 0) await adopt(hub, job, part, state)

  for (let failures = 0; ; ) {
    const before = state.offset
    try {
      if (state.offset < file.size) await receive(hub, job, part, state, restart)
      if (state.hash.digest("hex") === file.checksum.hex) return
      if (!state.stitched) throw wrongContent(job, `its ${file.checksum.algorithm} checksum is wrong`)
      await restart()
      throw new TransientFailure(`the pieces of ${job.subject.file} do not fit together`)
    } catch (error) {
      if (!(error instanceof TransientFailure)) throw error
      failures = state.offset - before >= forgivenAfter ? 1 : failures + 1
      progress.set("retrying", state.offset)
      await pause(hub, error, failures, hub.retries)
    }
  }
}

/** Hashes what an earlier pull left. */
async function adopt(hub: HubConnection, job: DownloadJob, part: PartFile, state: Transfer): Promise<void> {
  for await (const chunk of createReadStream(part.path, {
    end: part.inherited - 1,
    highWaterMark: 1 << 20,
  })) {
    hub.signal?.throwIfAborted()
    state.hash.update(chunk as Buffer)
    state.offset += (chunk as Buffer).length
    job.progress.set("checking", state.offset)
  }
  state.stitched = true
}

/** One request: from the offset to the end of the file. */
async function receive(
  hub: HubConnection,
  job: DownloadJob,
  part: PartFile,
  state: Transfer,
  restart: () => Promise<void>,
): Promise<void> {
  const { file, subject } = job
  const url = modelUrl(hub.endpoint, "", subject.repository, ["resolve", job.commit, ...file.path.split("/")])
  const headers: Record<string, string> = {}
  if (state.offset > 0) {
    headers["range"] = `bytes=${state.offset}-`
    if (state.etag?.startsWith('"')) headers["if-range"] = state.etag
  }
  const watch = watchdog(hub)
  try {
    const answer = await get(hub, url, subject, headers, watch.signal).catch(async (error: unknown) => {
      if (error instanceof TransientFailure && error.status === 416) await restart()
      throw error
    })
    try {
      checkPromise(job, answer.hub)
      await settleOffset(job, answer.response, state, restart)
      await readBody(hub, job, part, state, answer, watch)
    } catch (error) {
      await answer.response.body?.cancel().catch(() => {})
      throw error
    }
  } finally {
    watch.stop()
  }
}

/** The headers of the hub must agree with its listing; the commit is fixed, so nothing may have changed. */
function checkPromise(job: DownloadJob, headers: Headers): void {
  const { checksum, size } = job.file
  const etag = (headers.get("x-linked-etag") ?? headers.get("etag"))?.replace(/^W\//, "").replaceAll('"', "")
  if (etag !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) && etag !== checksum.hex)
    throw wrongContent(
      job,
      `the hub now names its content ${etag.slice(0, 12)}, its listing said ${checksum.hex.slice(0, 12)}`,
    )
  const linked = headers.get("x-linked-size")
  if (linked !== null && Number(linked) !== size)
    throw wrongContent(job, `the hub now says ${printable(linked)} bytes, its listing said ${size}`)
}

/** Compares where the answer begins with where the part ends; starts over where they do not meet. */
async function settleOffset(
  job: DownloadJob,
  response: Response,
  state: Transfer,
  restart: () => Promise<void>,
): Promise<void> {
  const { size } = job.file
  const etag = response.headers.get("etag") ?? undefined
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "")
    const changed = state.etag !== undefined && etag !== undefined && etag !== state.etag
    if (changed || !range || Number(range[1]) !== state.offset || response.headers.has("content-encoding")) {
      await restart()
      throw new TransientFailure(
        changed
          ? `${job.subject.file} changed during the download`
          : `the server continued at the wrong place`,
      )
    }
    if (range[2] !== "*" && Number(range[2]) !== size)
      throw wrongContent(job, `the server has ${range[2]} bytes, the listing said ${size}`)
    state.stitched = true
  } else {
    if (response.status !== 200)
      throw new HubError(
        `the server answered ${response.status} instead of ${job.subject.file}: pull again later`,
        {
          status: response.status,
        },
      )
    const length = response.headers.get("content-length")
    if (length !== null && Number(length) !== size && !response.headers.has("content-encoding"))
      throw wrongContent(job, `the server sends ${printable(length)} bytes, the listing said ${size}`)
    if (state.offset > 0) await restart()
  }
  state.etag = etag ?? state.etag
}

async function readBody(
  hub: HubConnection,
  job: DownloadJob,
  part: PartFile,
  state: Transfer,
  { response, host }: Answer,
  watch: Watchdog,
): Promise<void> {
  const { file, progress } = job
  const reader = (response.body ?? emptyBody()).getReader()
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw networkFailure(hub, host, error)
    })
    if (done) break
    hub.signal?.throwIfAborted()
    watch.touch()
    if (state.offset + value.length > file.size) {
      await reader.cancel().catch(() => {})
      throw wrongContent(job, `the server sends more than the ${formatBytes(file.size)} of the listing`)
    }
    await part.write(value, state.offset)
    state.hash.update(value)
    state.offset += value.length
    progress.set("downloading", state.offset, value.length)
  }
  if (state.offset < file.size)
    throw new TransientFailure(
      `the connection to ${host} ended after ${formatBytes(state.offset)} of ${formatBytes(file.size)}`,
    )
}

function wrongContent(job: DownloadJob, why: string): RefusedContent {
  return new RefusedContent(
    `${printable(job.file.path)} of ${job.subject.repository} was refused and deleted: ${why}; ` +
      `pull again, and if it stays so, the file or a proxy on the way is damaged`,
  )
}
