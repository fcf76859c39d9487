// Builds the page into dist/web, unless it and what it takes from dist/ are as they were. Runs after tsc and
// build-browser.
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "vite"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, "dist/web.hash")

const files = (folder, pattern) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name))
const hash = createHash("sha256")
const sources = [
  ...files("web", /\.(?:svelte|ts|css|html|svg|mjs)$/),
  ...files("dist", /\.(?:js|wasm)$/).filter((name) => !/^dist[\\/](?:web|cli|server|hub)[\\/]/.test(name)),
  "package-lock.json",
]
for (const file of sources.toSorted((a, b) => (a < b ? -1 : 1)))
  hash.update(file).update(readFileSync(join(root, file)))
const digest = hash.digest("hex")

const upToDate =
  existsSync(join(root, "dist/web/index.html")) && existsSync(stamp) && readFileSync(stamp, "utf8") === digest
if (!upToDate) {
  await build({ configFile: join(root, "web/vite.config.mjs"), logLevel: "warn" })
  writeFileSync(stamp, digest)
}
