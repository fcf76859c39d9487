// Which models there are, and the one that answers.
import { ModelStore, type StoredModel } from "cria/browser"
import { saveSettings, settings } from "../data/settings.svelte.js"
import { BrowserEngine } from "./browser-engine.js"
import { demoName, type Engine, type ModelCard } from "./engine.js"
import { KeyNeeded, ServerEngine, serverModels } from "./server-engine.js"

/** Something that takes its time. */
export interface Work {
  readonly what: "download" | "keep" | "load" | "check"
  readonly name: string
  loaded: number
  total: number | undefined
  stop(): void
}

class Models {
  engine: Engine | undefined = $state.raw()
  onServer: ModelCard[] = $state.raw([])
  keyNeeded = $state(false)
  kept: StoredModel[] = $state.raw([])
  space: { used: number; available: number; persistent: boolean } | undefined = $state.raw()
  /** Whether this browser can keep models. */
  canKeep = $state(true)
  work: Work | undefined = $state()
  error = $state("")
  /** The last check of a kept model. */
  checked: { name: string; good: boolean } | undefined = $state()
  /** Whether the first look around is over. */
  ready = $state(false)

  /** Finds out what there is, and takes the model of the last visit, or the server's first. */
  async open(): Promise<void> {
    await Promise.all([this.refreshServer(), this.refreshKept()])
    const { where, model } = settings
    const wanted = this.kept.find(({ name, complete }) => complete && name === model)
    const served = this.onServer.find(({ name }) => name === model) ?? this.onServer[0]
    if (where === "browser" && model === demoName) await this.useDemo()
    else if (where === "browser" && wanted) await this.useKept(wanted.name)
    else if (served) await this.useServer(served)
    else if (!this.keyNeeded) await this.useDemo() // a page without a server's model answers all the same
    this.ready = true
  }

  async refreshServer(): Promise<void> {
    try {
      this.onServer = (await serverModels(settings.key)) ?? []
      this.keyNeeded = false
    } catch (error) {
      this.keyNeeded = error instanceof KeyNeeded
      this.onServer = []
    }
  }

  async refreshKept(): Promise<void> {
    try {
      const store = await ModelStore.open()
      this.kept = await store.list()
      this.space = await store.space()
    } catch {
      this.canKeep = false
    }
  }

  async useServer(card: ModelCard): Promise<void> {
    await this.#use(new ServerEngine(card, settings.key))
  }

  /** The model that comes with the page. */
  async useDemo(): Promise<void> {
    await this.#working("load", demoName, async (work, signal) => {
      await this.#use(await BrowserEngine.load("default", demoName, { onProgress: report(work), signal }))
    })
  }

  async useKept(name: string): Promise<void> {
    await this.#working("load", name, async (work, signal) => {
      await this.#use(await BrowserEngine.load(`opfs:${name}`, name, { onProgress: report(work), signal }))
    })
  }

  /** Files of the user: kept first where they can be, so that they are here at the next visit. */
  async useFiles(files: readonly File[]): Promise<void> {
    // the weights give the name, not what lies beside them
    const { name } = files.reduce((largest, file) => (file.size > largest.size ? file : largest))
    if (this.canKeep && !this.kept.some((kept) => kept.complete && kept.name === name)) {
      const done = await this.#working("keep", name, async (work, signal) => {
        const store = await ModelStore.open()
        await store.add(files, { name, onProgress: report(work), signal })
      })
      await this.refreshKept()
      if (!done) return
    }
    if (this.canKeep) return this.useKept(name)
    await this.#working("load", name, async (work, signal) => {
      await this.#use(await BrowserEngine.load(files, name, { onProgress: report(work), signal }))
    })
  }

  /** Fetches a model, or what is missing of it, and takes it. */
  async useUrl(url: string): Promise<void> {
    const shown = url.split(/[?#]/)[0].split("/").findLast(Boolean) ?? url
    let name = ""
    const done = await this.#working("download", shown, async (work, signal) => {
      const store = await ModelStore.open()
      ;({ name } = await store.download(url, { onProgress: report(work), signal }))
    })
    await this.refreshKept()
    if (done) await this.useKept(name)
  }

  async check(name: string): Promise<void> {
    this.checked = undefined
    const good = await this.#working("check", name, async (work, signal) => {
      const store = await ModelStore.open()
      await store.verify(name, { onProgress: report(work), signal })
    })
    this.checked = { name, good }
  }

  async remove(name: string): Promise<void> {
    if (this.engine?.card.where === "browser" && this.engine.card.name === name) {
      await this.engine.close()
      this.engine = undefined
    }
    try {
      await (await ModelStore.open()).remove(name)
    } catch (error) {
      this.error = String(error)
    }
    await this.refreshKept()
  }

  async #use(engine: Engine): Promise<void> {
    await this.engine?.close()
    this.engine = engine
    settings.where = engine.card.where
    settings.model = engine.card.name
    saveSettings()
  }

  /** One thing at a time, with its progress shown; whether it went well. */
  async #working(
    what: Work["what"],
    name: string,
    run: (work: Work, signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    this.work?.stop()
    const stop = new AbortController()
    const made: Work = { what, name, loaded: 0, total: undefined, stop: () => stop.abort() }
    this.work = made
    const work = this.work
    this.error = ""
    try {
      await run(work, stop.signal)
      return true
    } catch (error) {
      if (!stop.signal.aborted) this.error = error instanceof Error ? error.message : String(error)
      return false
    } finally {
      if (this.work === work) this.work = undefined
    }
  }
}

const report = (work: Work) => (progress: { loaded: number; total: number | undefined }) => {
  work.loaded = progress.loaded
  work.total = progress.total
}

export const models = new Models()
