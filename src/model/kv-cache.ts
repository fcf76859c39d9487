// Which page of the key-value cache belongs to whom: page tables, reference counts, forks, and the prefix tree
// that lets a new prompt reuse the pages of an earlier one. What is inside a page only the backend knows.
import type { PageStore } from "../ops/ops.js"

/** A full page whose tokens, and all tokens before them, are known: a node of the prefix tree. */
interface PrefixNode {
  readonly page: number
  /** The page's tokens, joined: its name among its siblings. */
  readonly key: string
  readonly siblings: Siblings
  readonly children: Siblings
}
type Siblings = Map<string, PrefixNode>

export class KvCache {
  readonly store: PageStore
  readonly pageTokens: number
  readonly #references: Int32Array
  /** Pages that hold nothing, lowest on top so that memory is taken late. */
  readonly #empty: number[] = []
  /** First pages, by family. */
  readonly #roots = new Map<string, Siblings>()
  readonly #nodeOfPage = new Map<number, PrefixNode>()
  /** Prefix pages that no sequence holds, oldest first. A child is always older than its parent: see `drop`. */
  readonly #idle = new Set<number>()

  constructor(store: PageStore) {
    this.store = store
    this.pageTokens = store.layout.pageTokens
    const { capacity } = store.layout
    this.#references = new Int32Array(capacity)
    for (let page = capacity - 1; page >= 0; page--) this.#empty.push(page)
  }

  get totalPages(): number {
    return this.store.layout.capacity
  }

  /** Pages that can be had now, those of idle prefixes included. */
  get freePages(): number {
    return this.#empty.length + this.#idle.size
  }

  /** Pages that only the prefix tree holds. */
  get cachedPages(): number {
    return this.#idle.size
  }

  /** Pages that sequences hold. */
  get usedPages(): number {
    return this.totalPages - this.freePages
  }

  /**
   * Starts a sequence that is to hold `ids`, sharing the pages of the longest known prefix. Its `length` says how
   * many tokens are there already: whole pages, and at most `ids.length - 1`, for the last token must be run.
   * Sequences share within a family only: it names what else than the tokens decides what is in a page.
   */
  open(ids: readonly number[], family = ""): SequenceCache {
    const root: Siblings = this.#roots.get(family) ?? new Map()
    this.#roots.set(family, root)
    const nodes: PrefixNode[] = []
    let children = root
    for (let end = this.pageTokens; end < ids.length; end += this.pageTokens) {
      const node = children.get(ids.slice(end - this.pageTokens, end).join())
      if (!node) break
      nodes.push(node)
      children = node.children
    }
    for (const { page } of nodes) this.hold(page)
    return new SequenceCache(
      this,
      root,
      nodes,
      nodes.map((node) => node.page),
      nodes.length * this.pageTokens,
      [],
    )
  }

  /** One more holder of a page. */
  hold(page: number): void {
    if (this.#references[page]++ === 0) this.#idle.delete(page)
  }

  /**
   * One holder less. Holders let go from the last page of a sequence to the first, so that within the idle set a
   * prefix page comes after all that continue it, and the oldest idle page is always a leaf.
   */
  drop(page: number): void {
    if (--this.#references[page] > 0) return
    if (this.#nodeOfPage.has(page)) this.#idle.add(page)
    else this.#empty.push(page)
  }

  isShared(page: number): boolean {
    return this.#references[page] > 1 || this.#nodeOfPage.has(page)
  }

  /** A page for one holder, or undefined when all are in use. Throws what the store throws when memory is short. */
  take(): number | undefined {
    const fresh = this.#empty.at(-1)
    if (fresh !== undefined) this.store.reserve(fresh + 1)
    let page = this.#empty.pop()
    if (page === undefined) {
      for (const idle of this.#idle) {
        page = idle
        break
      }
      if (page === undefined) return undefined
      this.#forget(page)
    }
    this.#references[page] = 1
    return page
  }

  /** Enters a full page into the prefix tree. Returns its node, or the twin that is there already. */
  remember(siblings: Siblings, page: number, ids: readonly number[]): PrefixNode {
    const key = ids.join()
    const twin = siblings.get(key)
    if (twin) return twin
    const node: PrefixNode = { page, key, siblings, children: new Map() }
    siblings.set(key, node)
    this.#nodeOfPage.set(page, node)
    return node
  }

  /** Forgets all prefixes that no sequence holds. */
  clear(): void {
    for (const page of this.#idle) {
      this.#forget(page)
      this.#empty.push(page)
    }
  }

  #forget(page: number): void {
    const node = this.#nodeOfPage.get(page)!
    node.siblings.delete(node.key)
    this.#nodeOfPage.delete(page)
    this.#idle.delete(page)
  }
}

/** The cache of one sequence: its page table and how many of its slots are filled. */
export class SequenceCache {
  readonly #cache: KvCache
  /** First pages of its family. */
  readonly #root: Siblings
  /** Prefix nodes of the leading full pages; undefined once the table is no longer a prefix of a text. */
  #nodes: PrefixNode[] | undefined
  #pages: number[]
  #length: number
  /** Tokens of the last page while it is not full. */
  #open: number[]
  #table: Int32Array | undefined

  constructor(
    cache: KvCache,
    root: Siblings,
    nodes: PrefixNode[] | undefined,
    pages: number[],
    length: number,
    open: number[],
  ) {
    this.#cache = cache
    this.#root = root
    this.#nodes = nodes
    this.#pages = pages
    this.#length = length
    this.#open = open
  }

  /** Filled slots. */
  get length(): number {
    return this.#length
  }

  get pages(): Int32Array {
    return (this.#table ??= Int32Array.from(this.#pages))
  }

  /** Makes room for `tokens` more, with a page of its own to write into. False when no page is free: nothing changed. */
  reserve(tokens: number): boolean {
    const size = this.#cache.pageTokens
    const wanted = Math.ceil((this.#length + tokens) / size)
    const partial = this.#length % size > 0 ? Math.floor(this.#length / size) : -1
    const copies = tokens > 0 && partial >= 0 && this.#cache.isShared(this.#pages[partial])
    if (this.#cache.freePages < wanted - this.#pages.length + (copies ? 1 : 0)) return false
    if (copies) {
      const page = this.#cache.take()!
      this.#cache.store.copy(this.#pages[partial], page)
      this.#cache.drop(this.#pages[partial])
      this.#pages[partial] = page
      this.#table = undefined
    }
    while (this.#pages.length < wanted) {
      this.#pages.push(this.#cache.take()!)
      this.#table = undefined
    }
    return true
  }

  /** These tokens were stored by a step that succeeded. Pages that became full can be shared from now on. */
  commit(ids: readonly number[]): void {
    const size = this.#cache.pageTokens
    for (const id of ids) {
      this.#open.push(id)
      this.#length++
      if (this.#open.length < size) continue
      if (this.#nodes) {
        const page = this.#pages[this.#length / size - 1]
        this.#nodes.push(this.#cache.remember(this.#nodes.at(-1)?.children ?? this.#root, page, this.#open))
        // the twin of another sequence continues the tree; ours is not in it, so the nodes below would dangle
        if (this.#nodes.at(-1)!.page !== page) this.#adopt(this.#nodes.at(-1)!.page)
      }
      this.#open = []
    }
  }

  /** Uses the twin's page instead of our own last full one: same tokens before it, hence the same contents. */
  #adopt(page: number): void {
    const at = this.#length / this.#cache.pageTokens - 1
    this.#cache.hold(page)
    this.#cache.drop(this.#pages[at])
    this.#pages[at] = page
    this.#table = undefined
  }

  /** A second sequence with the same past. Both may go on writing: the one that does first copies the open page. */
  fork(): SequenceCache {
    for (const page of this.#pages) this.#cache.hold(page)
    const nodes = this.#nodes && [...this.#nodes]
    return new SequenceCache(this.#cache, this.#root, nodes, [...this.#pages], this.#length, [...this.#open])
  }

  /**
   * Lets the oldest tokens go, whole pages only: at least `tokens` of them after the first `keep`. Returns how many
   * went. The rest keep their rotation, so positions go on counting from where they were.
   */
  slide(keep: number, tokens: number): number {
    const size = this.#cache.pageTokens
    const first = Math.ceil(keep / size)
    const full = Math.floor(this.#length / size)
    const count = Math.min(Math.ceil(tokens / size), Math.max(0, full - first))
    const gone = this.#pages.splice(first, count)
    for (const page of gone.toReversed()) this.#cache.drop(page)
    this.#length -= count * size
    if (count > 0) this.#nodes = undefined
    this.#table = undefined
    return count * size
  }

  /** Gives all pages back. The sequence is empty afterwards. */
  release(): void {
    for (const page of this.#pages.toReversed()) this.#cache.drop(page)
    this.#pages = []
    this.#nodes = []
    this.#open = []
    this.#length = 0
    this.#table = undefined
  }
}
