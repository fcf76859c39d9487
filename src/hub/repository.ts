// What a hub says of a model: the commit behind a revision and the files of that commit with their checksums.
// Does not download files and does not choose among them.
import * as z from "zod"
import { HubError } from "../errors/index.js"
import type { HubConnection, Subject } from "./http.js"
import { getJson } from "./http.js"
import { isSafeRelativePath, printable } from "./model-id.js"

/** A checksum of a file's content. `git` is the SHA-1 of git's blob object, `sha256` that of the bytes. */
export interface Checksum {
  readonly algorithm: "sha256" | "git"
  readonly hex: string
}

/** A file of a commit on the hub. */
export interface RemoteFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly checksum: Checksum
}

/** A model at one commit. */
export interface RemoteModel {
  readonly commit: string
  readonly files: readonly RemoteFile[]
}

const mostPages = 200
const mostFiles = 100_000
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))
const bytes = z.int().nonnegative()
const revisionAnswer = z.object({ sha: hex(40), disabled: z.boolean().optional() })
const fileEntry = z.object({
  type: z.literal("file"),
  path: z.string(),
  size: bytes,
  oid: hex(40),
  lfs: z.object({ oid: hex(64), size: bytes }).nullish(),
})
const treeAnswer = z.array(z.union([fileEntry, z.object({ type: z.enum(["directory", "unknown"]) })]))

/** The address of something of a model: `/api/models/owner/name/...` or `/owner/name/...`; parts are encoded. */
export function modelUrl(endpoint: URL, root: string, repository: string, parts: readonly string[]): URL {
  const url = new URL(endpoint)
  const path = [...repository.split("/"), ...parts].map(encodeURIComponent).join("/")
  url.pathname = `${endpoint.pathname.replace(/\/$/, "")}${root}/${path}`
  return url
}

/** Asks the hub which commit a revision is. */
async function findCommit(hub: HubConnection, subject: Subject): Promise<string> {
  const url = modelUrl(hub.endpoint, "/api/models", subject.repository, ["revision", subject.revision])
  const { body } = await getJson(hub, url, subject)
  const info = understood(hub, subject, revisionAnswer.safeParse(body))
  if (info.disabled) throw new HubError(`${subject.repository} was disabled by the hub: choose another model`)
  return info.sha
}

/**
 * The commit of a revision and all its files.
 *
 * @throws HubError where the listing names a path that would leave its folder, or is no listing.
 */
export async function describeModel(hub: HubConnection, subject: Subject): Promise<RemoteModel> {
  const commit = await findCommit(hub, subject)
  const url = modelUrl(hub.endpoint, "/api/models", subject.repository, ["tree", commit])
  url.search = "?recursive=true"
  const files: RemoteFile[] = []
  const seen = new Set<string>()
  for (let page = 0; page < mostPages; page++) {
    const { body, headers } = await getJson(hub, url, subject)
    for (const entry of understood(hub, subject, treeAnswer.safeParse(body))) {
      if (entry.type !== "file") continue
      if (!isSafeRelativePath(entry.path) || seen.has(entry.path))
        throw new HubError(
          `${hub.endpoint.host} lists a file "${printable(entry.path)}" in ${subject.repository} that could be ` +
            `written outside its folder or twice: the whole model is refused`,
        )
      seen.add(entry.path)
      files.push({
        path: entry.path,
        size: entry.lfs?.size ?? entry.size,
        checksum: entry.lfs
          ? { algorithm: "sha256", hex: entry.lfs.oid }
          : { algorithm: "git", hex: entry.oid },
      })
    }
    if (files.length > mostFiles) break
    const next = nextPage(headers.get("link"), url)
    if (!next) return { commit, files }
    // Only the cursor is taken over: a link to another host must not carry the token there.
    url.search = next.search
  }
  throw new HubError(
    `${subject.repository} lists more than ${mostFiles} files or ${mostPages} pages: refused`,
  )
}

/** The target of `<...>; rel="next"` in a Link header. */
function nextPage(link: string | null, base: URL): URL | undefined {
  for (const part of (link ?? "").slice(0, 16_384).split(",")) {
    const match = /^\s*<([^>]*)>(.*)$/.exec(part)
    if (match && /;\s*rel\s*=\s*"?next"?/i.test(match[2]) && URL.canParse(match[1], base))
      return new URL(match[1], base)
  }
  return undefined
}

function understood<T>(hub: HubConnection, subject: Subject, result: z.ZodSafeParseResult<T>): T {
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new HubError(
    `${hub.endpoint.host} described ${subject.repository} in a form that is not the hub's protocol ` +
      `(${printable(`${issue?.path.join(".")}: ${issue?.message}`)}): is HF_ENDPOINT a model hub?`,
  )
}
