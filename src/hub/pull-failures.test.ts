// A pull when the network, the hub, the disk or the listing is against it.
import { fork } from "node:child_process"
import { readdir, readFile, stat, writeFile, mkdir, utimes } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { HubError, ModelNotFoundError } from "../errors/index.js"
import { commit, type FakeHub, noise, sha256, startHub, temporaryFolder } from "./hub-server-fixture.js"
import { claimPart, findParts } from "./part-file.js"
import { pullModel, type PullOptions } from "./pull.js"

const weights = noise(400_000)
const name = sha256(weights)
let hub: FakeHub
let folder: Awaited<ReturnType<typeof temporaryFolder>>
const pull = (more: PullOptions = {}) =>
  pullModel("owner/name", {
    endpoint: hub.url,
    cacheFolder: folder.path,
    environment: { HOME: folder.path },
    retryDelay: 1,
    ...more,
  })
const root = () => join(folder.path, "models--owner--name")
const idlePart = () => join(root(), "blobs", `${name}.cria.incomplete`)
const snapshot = () => readdir(join(root(), "snapshots", commit)).catch(() => [])
const ranges = () => hub.log.filter((entry) => entry.server === "storage").map((entry) => entry.range)

/** The pull must have failed with this; what lies under a final name must be whole. */
async function expectNoHalfFile(): Promise<void> {
  for (const file of await readdir(join(root(), "blobs")).catch(() => []))
    if (!file.includes("incomplete")) expect(file).not.toBe(name)
  expect(await snapshot()).not.toContain("model.safetensors")
}

beforeEach(async () => {
  hub = await startHub({ "config.json": "{}", "model.safetensors": weights })
  folder = await temporaryFolder()
})
afterEach(async () => {
  await hub.close()
  await folder.remove()
})

test("a connection that is cut again and again is resumed where it ended", async () => {
  hub.onStorage = ({ serve, attempt }) => (serve(attempt <= 5 ? 70_000 : undefined), true)
  const pulled = await pull()
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
  const starts = ranges().map((range) => Number(range?.slice(6, -1) ?? 0))
  expect(starts).toHaveLength(6)
  expect(starts.slice(1).every((start, index) => start > starts[index])).toBe(true)
  expect(pulled.received).toBe(pulled.bytes)
})

test("a connection that never delivers is given up, and the next pull resumes what came", async () => {
  hub.onStorage = ({ serve, attempt, response }) => (
    attempt === 1 ? serve(150_000) : response.destroy(), true
  )
  await expect(pull({ retries: 2 })).rejects.toThrow(/gave up after 3 tries.*resume/)
  await expectNoHalfFile()
  const { size } = await stat(idlePart())
  expect(size).toBeGreaterThan(0)
  hub.onStorage = () => false
  hub.log.length = 0
  const pulled = await pull()
  expect(ranges()).toEqual([`bytes=${size}-`])
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
})

test("a server that ignores ranges starts over and still ends well", async () => {
  hub.onStorage = ({ attempt, response, bytes, serve }) => {
    if (attempt === 1) serve(150_000)
    else response.writeHead(200, { "content-length": bytes.length }).end(bytes)
    return true
  }
  const pulled = await pull()
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
})

test("a server that continues at the wrong place is not believed", async () => {
  hub.onStorage = ({ attempt, start, response, bytes, serve }) => {
    if (attempt === 1) serve(150_000)
    else if (start === 0) serve()
    else
      response.writeHead(206, { "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}` }).end(bytes)
    return true
  }
  expect(sha256(await readFile(join((await pull()).path, "model.safetensors")))).toBe(sha256(weights))
})

test("another ETag between two attempts discards the part", async () => {
  const other = noise(weights.length, 99)
  hub.onStorage = ({ attempt, response, serve }) => {
    if (attempt === 1) {
      response.writeHead(200, { etag: '"old"', "content-length": other.length })
      response.write(other.subarray(0, 150_000), () => setTimeout(() => response.destroy(), 5))
    } else serve()
    return true
  }
  expect(sha256(await readFile(join((await pull()).path, "model.safetensors")))).toBe(sha256(weights))
  expect(ranges().map((range) => range !== undefined)).toEqual([false, true, false])
})

test("a checksum that the hub changes after its listing is refused, and the part deleted", async () => {
  hub.onHub = (_, response, path) => {
    if (!path.endsWith("model.safetensors")) return false
    response.writeHead(302, {
      "x-linked-etag": `"${"a".repeat(64)}"`,
      location: `${hub.storageUrl}/model.safetensors`,
    })
    return response.end(), true
  }
  await expect(pull()).rejects.toThrow(/refused and deleted/)
  await expectNoHalfFile()
  expect(await findParts(join(root(), "blobs"))).toEqual([])
})

test("wrong content is refused and deleted, never named", async () => {
  const wrong = Buffer.from(weights)
  wrong[200_000] ^= 1
  hub.onStorage = ({ response }) => (
    response.writeHead(200, { "content-length": wrong.length }).end(wrong), true
  )
  await expect(pull()).rejects.toThrow(/model\.safetensors .*sha256 checksum is wrong/)
  await expectNoHalfFile()
  expect(await findParts(join(root(), "blobs"))).toEqual([])
  expect(ranges()).toHaveLength(1)
})

test("a damaged part of an earlier pull costs one more download, not the model", async () => {
  await mkdir(join(root(), "blobs"), { recursive: true })
  await writeFile(idlePart(), noise(100_000, 7))
  const pulled = await pull()
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
  expect(ranges()).toEqual(["bytes=100000-", undefined])
})

test("a part longer than the file is thrown away; a whole one is only verified", async () => {
  await mkdir(join(root(), "blobs"), { recursive: true })
  await writeFile(idlePart(), noise(500_000, 7))
  await pull()
  expect(ranges()).toEqual([undefined])
  await folder.remove()
  await mkdir(join(root(), "blobs"), { recursive: true })
  await writeFile(idlePart(), weights)
  hub.log.length = 0
  const pulled = await pull()
  expect(ranges()).toEqual([])
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
})

test("416 starts over", async () => {
  hub.onStorage = ({ attempt, start, response, serve }) => {
    if (attempt === 1) serve(150_000)
    else if (start > 0) response.writeHead(416).end()
    else return false
    return true
  }
  expect(sha256(await readFile(join((await pull()).path, "model.safetensors")))).toBe(sha256(weights))
})

test("a body longer or shorter than declared is refused", async () => {
  hub.onStorage = ({ response, bytes }) => {
    response.writeHead(200) // chunked: no length is declared
    return response.end(Buffer.concat([bytes, bytes])), true
  }
  await expect(pull()).rejects.toThrow(/sends more than/)
  await expectNoHalfFile()
  hub.onStorage = ({ response }) => (response.writeHead(200, { "content-length": 10 }).end(noise(10)), true)
  await expect(pull()).rejects.toThrow(/sends 10 bytes, the listing said 400000/)
  await expectNoHalfFile()
})

test("a silent server counts as cut", async () => {
  hub.onStorage = ({ attempt, response, bytes }) => {
    if (attempt > 1) return false
    response.writeHead(200, { "content-length": bytes.length })
    return response.write(bytes.subarray(0, 1000)), true
  }
  const pulled = await pull({ stallTimeout: 200 })
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
})

test("gated models: 401 without and 403 with a token say what to do", async () => {
  const refuse = (status: number) => {
    hub.onHub = (_, response, path) => {
      if (!path.includes("/resolve/")) return false
      return response.writeHead(status, { "x-error-code": "GatedRepo" }).end(), true
    }
  }
  refuse(401)
  const without = await pull().catch((error: unknown) => error as HubError)
  expect(without).toBeInstanceOf(HubError)
  expect(without).toMatchObject({ status: 401 })
  expect((without as Error).message).toContain(`visit ${hub.url}/owner/name and accept the licence`)
  expect((without as Error).message).toContain("HF_TOKEN")
  refuse(403)
  await expect(pull({ token: "hf_x" })).rejects.toThrow(/gated \(403\).*accept the licence.*token in use/)
  await expectNoHalfFile()
})

test("401, 404 and a missing revision name the cause", async () => {
  const refuse = (status: number, headers: Record<string, string>) => {
    hub.onHub = (_, response) => (response.writeHead(status, headers).end(), true)
  }
  refuse(401, {})
  await expect(pull({ token: "hf_x" })).rejects.toThrow(/refused the token/)
  refuse(401, { "x-error-code": "RepoNotFound" })
  await expect(pull()).rejects.toThrow(/knows no model owner\/name: check the spelling.*HF_TOKEN/)
  refuse(404, { "x-error-code": "RevisionNotFound" })
  await expect(pull({ revision: "v9" })).rejects.toThrow(/no revision "v9"/)
  refuse(404, {})
  await expect(pull()).rejects.toThrow(ModelNotFoundError)
})

test("429 waits as long as asked, 5xx is tried again, both within bounds", async () => {
  let answers = 0
  hub.onHub = (_, response) => {
    answers++
    if (answers === 1) return response.writeHead(429, { "retry-after": "1" }).end(), true
    if (answers === 2) return response.writeHead(503).end(), true
    return false
  }
  const started = performance.now()
  await pull()
  expect(performance.now() - started).toBeGreaterThan(950)
  hub.onHub = (_, response) => (response.writeHead(429, { "retry-after": "4000" }).end(), true)
  await expect(pull()).rejects.toThrow(/429.*wait 67 minutes/)
  hub.onHub = (_, response) => (response.writeHead(500).end(), true)
  await expect(pull()).rejects.toThrow(/answered 500.*gave up/)
})

test("a hub that cannot be reached is named within the tries", async () => {
  const { url } = hub
  await hub.close()
  await expect(pull({ endpoint: url })).rejects.toThrow(
    /connection to 127\.0\.0\.1:\d+ failed.*gave up after 4 tries/,
  )
})

test("names that would leave the folder refuse the whole model", async () => {
  const bad = [
    "../evil",
    "/etc/evil",
    "a/../../evil",
    "a\0b",
    "a\\..\\evil",
    "C:/evil",
    "./x",
    "a//b",
    "config.json",
  ]
  for (const path of bad) {
    hub.bendEntry = (entry) => (entry.path === "model.safetensors" ? { ...entry, path } : entry)
    await expect(pull(), path).rejects.toThrow(/refused/)
  }
  expect(await readdir(folder.path)).toEqual([])
})

test("a listing of another form, and one without end, are refused", async () => {
  hub.bendEntry = (entry) => ({ ...entry, size: -1 })
  await expect(pull()).rejects.toThrow(/not the hub's protocol/)
  hub.bendEntry = (entry) => ({ ...entry, oid: "../../x" })
  await expect(pull()).rejects.toThrow(HubError)
  hub.onHub = (_, response, path) => {
    if (!path.includes("/tree/")) return false
    const link = `<${hub.url}/x?cursor=again>; rel="next"`
    return response.writeHead(200, { link }).end("[]"), true
  }
  await expect(pull()).rejects.toThrow(/more than 100000 files or 200 pages/)
})

test("sizes that do not fit on the disk are refused before the first byte", async () => {
  hub.bendEntry = (entry) => (entry.lfs ? { ...(entry as object), lfs: { ...entry.lfs, size: 8e15 } } : entry)
  await expect(pull()).rejects.toThrow(/not enough disk space.*8\.00 PB to download/)
  expect(ranges()).toEqual([])
})

test("redirects in a circle, or to a scheme that is none of the web's, are refused", async () => {
  const redirect = (location: string) => {
    hub.onHub = (_, response) => (response.writeHead(302, { location }).end(), true)
  }
  redirect("/round")
  await expect(pull()).rejects.toThrow(/more than 8 times/)
  redirect("file:///etc/passwd")
  await expect(pull()).rejects.toThrow(/no \(encrypted\) web address/)
})

test("abort keeps what came as a part that the next pull resumes, and no final file", async () => {
  const reason = new Error("enough")
  const controller = new AbortController()
  hub.onStorage = ({ response, bytes, attempt }) => {
    if (attempt > 1) return false
    response.writeHead(200, { "content-length": bytes.length })
    response.write(bytes.subarray(0, 200_000))
    return true
  }
  const running = pull({
    signal: controller.signal,
    onProgress: ({ file, loaded }) => {
      if (file === "model.safetensors" && loaded > 0) setTimeout(() => controller.abort(reason), 20)
    },
  })
  await expect(running).rejects.toBe(reason)
  await expectNoHalfFile()
  const { size } = await stat(idlePart())
  expect(size).toBeGreaterThan(0)
  const pulled = await pull()
  expect(ranges().at(-1)).toBe(`bytes=${size}-`)
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
})

test("abort before and while another pull is waited for", async () => {
  await expect(pull({ signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no")
  const blobs = join(root(), "blobs")
  await mkdir(blobs, { recursive: true })
  const held = await claimPart(
    blobs,
    name,
    () => Promise.resolve(false),
    () => {},
    undefined,
  )
  const controller = new AbortController()
  const running = pull({
    signal: controller.signal,
    onProgress: ({ state }) => state === "waiting" && controller.abort(new Error("waited enough")),
  })
  await expect(running).rejects.toThrow("waited enough")
  await held!.release()
  await pull()
})

test("what a killed process left is taken over; what a running one holds is not", async () => {
  const blobs = join(root(), "blobs")
  await mkdir(blobs, { recursive: true })
  const child = fork("-e", [], { execArgv: [], stdio: "ignore" })
  const dead = child.pid!
  await new Promise((done) => child.once("exit", done))
  const own = await claimPart(
    blobs,
    name,
    () => Promise.resolve(false),
    () => {},
    undefined,
  )
  const mine = (await findParts(blobs))[0]
  expect(mine.alive).toBe(true)
  await own!.write(weights.subarray(0, 100_000), 0)
  await own!.release()
  const left = mine.name.replace(`-${process.pid}-`, `-${dead}-`)
  await writeFile(join(blobs, left), weights.subarray(0, 120_000))
  expect((await findParts(blobs)).map((part) => part.alive)).toEqual([false, false])
  await pull()
  expect(ranges()).toEqual(["bytes=120000-"])
  expect(await findParts(blobs)).toEqual([])

  // Of another machine: alive as long as it is touched.
  const foreign = join(blobs, `${name}.cria-00000000-1-aaaaaaaaaaaa.incomplete`)
  await writeFile(foreign, "x")
  expect((await findParts(blobs))[0].alive).toBe(true)
  await utimes(foreign, new Date(0), new Date(0))
  expect((await findParts(blobs))[0].alive).toBe(false)
})
