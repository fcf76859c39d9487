// Speaks HTTP to a hub: follows redirects without showing the token to other hosts, turns refusals into errors
// that say what to do, and separates what is worth another try from what is not. Knows no files.
import { setTimeout as delay } from "node:timers/promises"
import { HubError, ModelNotFoundError } from "../errors/index.js"
import { printable } from "./model-id.js"
import type { Transport } from "./transport.js"

/** How to reach a hub; one for all requests of a pull. */
export interface HubConnection {
  readonly endpoint: URL
  readonly token: string | undefined
  readonly fetch: Transport
  readonly signal: AbortSignal | undefined
  /** Tries after the first one, as long as they bring nothing new. */
  readonly retries: number
  /** First pause before another try, in ms; it doubles up to {@link longestPause}. */
  readonly retryDelay: number
  /** Silence of a server, in ms, after which a request counts as cut. */
  readonly stallTimeout: number
}

/** What a request is about: for the words of an error. */
export interface Subject {
  readonly repository: string
  readonly revision: string
  readonly file?: string
}

/** A failure that may pass: cut connections, 429, 5xx. Never leaves this folder. */
export class TransientFailure extends Error {
  /** What the server asked to wait, in ms. */
  readonly retryAfter: number | undefined
  readonly status: number | undefined
  constructor(message: string, options?: ErrorOptions & { retryAfter?: number; status?: number }) {
    super(message, options)
    this.retryAfter = options?.retryAfter
    this.status = options?.status
  }
}

/** The answer to a GET: `hub` holds the headers of the hub itself, `response` the answer of where it led. */
export interface Answer {
  readonly response: Response
  readonly hub: Headers
  /** Who sent the body. */
  readonly host: string
}

const mostRedirects = 8
const longestPause = 30_000
const longestRetryAfter = 300_000

/**
 * GET with redirects followed by hand. The token goes to the origin of the endpoint only.
 *
 * @throws TransientFailure, HubError, ModelNotFoundError, or the reason of the signal.
 */
export async function get(
  hub: HubConnection,
  url: URL,
  subject: Subject,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer> {
  let at = url
  let first: Headers | undefined
  for (let hop = 0; hop <= mostRedirects; hop++) {
    const home = at.origin === hub.endpoint.origin
    const response = await request(hub, at, signal, {
      "user-agent": "cria",
      "accept-encoding": "identity",
      ...headers,
      ...(home && hub.token ? { authorization: `Bearer ${hub.token}` } : {}),
    })
    if (home) first = merged(first, response.headers)
    if (response.status < 300 || response.status >= 400 || response.status === 304) {
      if (response.ok) return { response, hub: first ?? new Headers(), host: at.host }
      await response.body?.cancel().catch(() => {})
      throw refusal(hub, response, subject, home ? undefined : at.host)
    }
    await response.body?.cancel().catch(() => {})
    const location = response.headers.get("location") ?? ""
    const next = URL.canParse(location, at) ? new URL(location, at) : undefined
    const safe = next?.protocol === "https:" || (next?.protocol === "http:" && at.protocol === "http:")
    if (!next || !safe)
      throw new HubError(
        `${at.host} redirected ${named(subject)} to "${printable(location)}", which is no (encrypted) web address: ` +
          `check HF_ENDPOINT`,
        { status: response.status },
      )
    at = next
  }
  throw new HubError(`${hub.endpoint.host} redirected ${named(subject)} more than ${mostRedirects} times`)
}

/** Headers of the hub's own answers; the first word on a checksum stands. */
function merged(earlier: Headers | undefined, later: Headers): Headers {
  if (!earlier) return later
  const all = new Headers(later)
  for (const [name, value] of earlier) all.set(name, value)
  return all
}

async function request(
  hub: HubConnection,
  url: URL,
  signal: AbortSignal,
  headers: Record<string, string>,
): Promise<Response> {
  try {
    return await hub.fetch(url, { headers, signal, redirect: "manual" })
  } catch (error) {
    throw networkFailure(hub, url.host, error)
  }
}

/** What a failed fetch or a failed read of a body means. */
export function networkFailure(hub: HubConnection, host: string, error: unknown): unknown {
  if (hub.signal?.aborted) return hub.signal.reason
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? ""
  const text = printable(cause instanceof Error ? cause.message || code : String(cause))
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return new HubError(
      `the certificate of ${host} was not accepted (${text}): behind a company proxy, set NODE_EXTRA_CA_CERTS`,
      { cause: error },
    )
  return new TransientFailure(`the connection to ${host} failed (${text})`, { cause: error })
}

const named = (subject: Subject) =>
  subject.file === undefined ? subject.repository : `${printable(subject.file)} of ${subject.repository}`

/** The error for an answer that is not a success; `storage` is the host that gave it where it was not the hub. */
function refusal(
  hub: HubConnection,
  response: Response,
  subject: Subject,
  storage: string | undefined,
): Error {
  const { status } = response
  const code = response.headers.get("x-error-code") ?? ""
  const said = printable(response.headers.get("x-error-message") ?? response.statusText)
  const page = `${hub.endpoint.href.replace(/\/$/, "")}/${subject.repository}`
  const host = storage ?? hub.endpoint.host
  if (
    status === 429 ||
    status === 408 ||
    status >= 500 ||
    (storage !== undefined && (status === 403 || status === 401))
  )
    return new TransientFailure(
      status === 429
        ? `${host} asks to send fewer requests (429)${hub.token ? "" : "; with HF_TOKEN set the limits are higher"}`
        : `${host} answered ${status} ${said} for ${named(subject)}`,
      { status, retryAfter: retryAfter(response.headers) },
    )
  if (status === 416)
    return new TransientFailure(`${host} has no such part of ${named(subject)} (416)`, { status })
  if (code === "GatedRepo" || (status === 403 && /gated|restricted|access/i.test(said)))
    return new HubError(
      `${subject.repository} is gated (${status}): visit ${page} and accept the licence there, ` +
        (hub.token
          ? `then pull again once access is granted; the token in use must be of that account and may read gated models`
          : `make a read token at ${hub.endpoint.origin}/settings/tokens, set HF_TOKEN to it and pull again`),
      { status },
    )
  if (code === "RevisionNotFound")
    return new ModelNotFoundError(
      `${subject.repository} has no revision "${printable(subject.revision)}": see ${page}/tree/main for its branches`,
    )
  if (code === "EntryNotFound" || (status === 404 && subject.file !== undefined))
    return new ModelNotFoundError(
      `${subject.repository} has no file ${printable(subject.file ?? "")}: see ${page}`,
    )
  if (status === 404 || code === "RepoNotFound" || (status === 401 && !hub.token))
    return new ModelNotFoundError(
      `${hub.endpoint.host} knows no model ${subject.repository}: check the spelling` +
        (hub.token
          ? ` and whether the token's account may see it`
          : `; if it is private or gated, set HF_TOKEN`),
    )
  if (status === 401)
    return new HubError(
      `${hub.endpoint.host} refused the token (401): make a new one at ${hub.endpoint.origin}/settings/tokens ` +
        `and set HF_TOKEN, or unset it for public models`,
      { status },
    )
  return new HubError(`${host} answered ${status} ${said} for ${named(subject)}: see ${page}`, { status })
}

/** `Retry-After` in seconds or as a date, or the `t` of the hub's `RateLimit` header; ms. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after")
  if (value !== null) {
    const seconds = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
    if (Number.isFinite(seconds)) return Math.max(0, seconds)
  }
  const window = /;\s*t=(\d{1,9})/.exec(headers.get("ratelimit") ?? "")
  return window && headers.get("ratelimit")!.includes("r=0") ? Number(window[1]) * 1000 : undefined
}

/**
 * Waits before try number `failures` (1 is the first repetition): what the server asked for, else exponential
 * with jitter.
 *
 * @throws HubError when the tries are used up or the server asks for a wait longer than five minutes.
 */
export async function pause(
  hub: HubConnection,
  failure: TransientFailure,
  failures: number,
  retries: number,
): Promise<void> {
  const asked = failure.retryAfter
  const { status } = failure
  if (asked !== undefined && asked > longestRetryAfter)
    throw new HubError(
      `${failure.message}, and to wait ${Math.ceil(asked / 60_000)} minutes: pull again then`,
      {
        status,
        cause: failure,
      },
    )
  if (failures > retries)
    throw new HubError(
      `${failure.message}; gave up after ${failures} tries: check the connection and pull again, it will resume`,
      { status, cause: failure },
    )
  const doubled = Math.min(longestPause, hub.retryDelay * 2 ** (failures - 1))
  await sleep(asked ?? doubled * (0.75 + Math.random() / 2), hub.signal)
}

/** Waits; rejects with the reason of the signal. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Aborts a request that has gone silent. */
export interface Watchdog {
  readonly signal: AbortSignal
  /** Something came. */
  touch(): void
  /** The request is over. */
  stop(): void
}

/** The body of an answer without one. */
export const emptyBody = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })

/** A signal that aborts with the caller's, or when `touch` was not called for the stall timeout. */
export function watchdog(hub: HubConnection): Watchdog {
  const controller = new AbortController()
  const stalled = () =>
    controller.abort(new Error(`nothing came for ${Math.round(hub.stallTimeout / 1000)} seconds`))
  let timer = setTimeout(stalled, hub.stallTimeout)
  const follow = () => controller.abort(hub.signal!.reason)
  if (hub.signal?.aborted) follow()
  hub.signal?.addEventListener("abort", follow, { once: true })
  return {
    signal: controller.signal,
    touch() {
      timer.refresh()
    },
    stop() {
      clearTimeout(timer)
      hub.signal?.removeEventListener("abort", follow)
    },
  }
}

const mostJsonBytes = 32 << 20

/** GET of a JSON document with bounded size, repeated a few times on transient failures. */
export async function getJson(
  hub: HubConnection,
  url: URL,
  subject: Subject,
): Promise<{ body: unknown; headers: Headers }> {
  for (let failures = 1; ; failures++) {
    const watch = watchdog(hub)
    try {
      const { response } = await get(hub, url, subject, { accept: "application/json" }, watch.signal)
      const text = await boundedText(hub, response, url.host, watch)
      try {
        return { body: JSON.parse(text) as unknown, headers: response.headers }
      } catch (error) {
        throw new HubError(
          `${url.host} answered something other than JSON for ${named(subject)}: is HF_ENDPOINT a model hub?`,
          { cause: error },
        )
      }
    } catch (error) {
      if (!(error instanceof TransientFailure)) throw error
      await pause(hub, error, failures, Math.min(hub.retries, 3))
    } finally {
      watch.stop()
    }
  }
}

async function boundedText(
  hub: HubConnection,
  response: Response,
  host: string,
  watch: Watchdog,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = (response.body ?? emptyBody()).getReader()
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw networkFailure(hub, host, error)
    })
    if (done) return Buffer.concat(chunks).toString("utf8")
    watch.touch()
    length += value.length
    if (length > mostJsonBytes) {
      await reader.cancel().catch(() => {})
      throw new HubError(`${host} sent a listing of more than ${mostJsonBytes >> 20} MiB`)
    }
    chunks.push(value)
  }
}
