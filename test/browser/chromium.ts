// The system's Chromium, driven by playwright-core.
import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const candidates = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
]
const path = candidates.find((candidate) => candidate !== undefined && existsSync(candidate))

/** Why there is no browser, for tests to skip with; undefined where there is one. */
export const noBrowser = path
  ? undefined
  : "no Chromium on this machine: install the package chromium, or set CHROMIUM to its path"

export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-dev-shm-usage",
      "--disable-extensions",
      "--no-first-run",
    ],
  })
}
