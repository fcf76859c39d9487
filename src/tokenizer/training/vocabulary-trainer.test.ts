import { expect, test } from "vitest"
import { InvalidOptionError } from "../../errors/index.js"
import { exportGguf, exportTokenizerJson } from "../export.js"
import { Tokenizer } from "../tokenizer.js"
import { learnMerges } from "./learn-merges.js"
import { PieceCounts } from "./piece-counts.js"
import { type PreTokenizer, type VocabularyOptions, VocabularyTrainer } from "./vocabulary-trainer.js"

const texts = {
  en: "The llama walks over the mountains, and the mountain walks with it. It's 2026 now; isn't it?\n\n",
  de: "Das Lama läuft über die Berge, und die Häuser fließen vorüber.\n",
  hi: "नमस्ते दुनिया, यह एक छोटा वाक्य है। दुनिया बहुत बड़ी है।\n",
  th: "สวัสดีครับ นี่คือข้อความ สวัสดีครับทุกคน\n",
  ja: "日本語の文章です。これは日本語です。🦙\n",
}

async function trained(options: Partial<VocabularyOptions>, times = 30): Promise<Tokenizer> {
  const trainer = new VocabularyTrainer({ size: 500, ...options })
  for (let i = 0; i < times; i++) for (const [group, text] of Object.entries(texts)) trainer.add(text, group)
  return trainer.train()
}

/** Byte-pair encoding as its definition has it: all pairs counted anew before every merge. */
function mergesByDefinition(words: Map<string, number>, merges: number, minFrequency: number): string[][] {
  const split = [...words].map(([word, count]) => ({ symbols: word.split(""), count }))
  const found: string[][] = []
  const ids = new Map<string, number>()
  // Bytes are in the order of GPT-2's alphabet; for the letters that are used here that is their own.
  for (let code = 33; code < 127; code++) ids.set(String.fromCharCode(code), ids.size)
  while (found.length < merges) {
    const counts = new Map<string, number>()
    for (const { symbols, count } of split)
      for (let i = 1; i < symbols.length; i++) {
        const key = `${symbols[i - 1]} ${symbols[i]}`
        counts.set(key, (counts.get(key) ?? 0) + count)
      }
    const idsOf = (key: string) => key.split(" ").map((symbol) => ids.get(symbol)!)
    const [best] = [...counts]
      .filter(([, count]) => count >= minFrequency)
      .toSorted(([a, x], [b, y]) => {
        const [p, q] = [idsOf(a), idsOf(b)]
        return y - x || p[0] - q[0] || p[1] - q[1]
      })
    if (best === undefined) break
    const [left, right] = best[0].split(" ")
    found.push([left, right])
    if (!ids.has(left + right)) ids.set(left + right, ids.size + 162) // the bytes come first, 256 in all
    for (const word of split) {
      const merged: string[] = []
      for (let i = 0; i < word.symbols.length; i++) {
        const isPair = word.symbols[i] === left && word.symbols[i + 1] === right
        merged.push(isPair ? left + right : word.symbols[i])
        if (isPair) i++
      }
      word.symbols = merged
    }
  }
  return found
}

test("the merges are those of the definition, ties included", async () => {
  let state = 5
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % below
  }
  for (let run = 0; run < 30; run++) {
    const words = new Map<string, number>()
    const pieces = new PieceCounts(Infinity)
    for (let i = 0; i < 40; i++) {
      const word = Array.from({ length: 1 + random(12) }, () => "aab!Z~cd"[random(2 + (run % 7))]).join("")
      const count = 1 + random(4)
      words.set(word, (words.get(word) ?? 0) + count)
      pieces.add(new TextEncoder().encode(word), 0, word.length, count)
    }
    const minFrequency = 1 + (run % 3)
    const { symbols, merges } = await learnMerges(pieces, { symbols: 290, minFrequency, mostBytes: 1000 })
    const text = (id: number) => String.fromCharCode(...symbols[id])
    expect(merges.map(([left, right]) => [text(left), text(right)])).toEqual(
      mergesByDefinition(words, merges.length, minFrequency),
    )
  }
})

for (const preTokenizer of ["llama3", "marks"] satisfies PreTokenizer[])
  test(`${preTokenizer}: the same through tokenizer.json and GGUF, every text comes back`, async () => {
    const tokenizer = await trained({ preTokenizer })
    const json = JSON.stringify(exportTokenizerJson(tokenizer))
    const { model, pre, tokens, tokenTypes, merges, bos, eos, addsBos } = exportGguf(tokenizer)
    const metadata = {
      model,
      pre,
      tokens,
      token_type: tokenTypes,
      merges,
      bos_token_id: bos,
      eos_token_id: eos,
      add_bos_token: addsBos,
    }
    const gguf = new Map<string, unknown>(
      Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value]),
    )
    expect(pre).toBe({ llama3: "llama-bpe", marks: "qwen35" }[preTokenizer])
    for (const other of [Tokenizer.fromTokenizerJson(json), Tokenizer.fromGguf(gguf)]) {
      expect(other.size).toBe(tokenizer.size)
      expect(other.special).toEqual(tokenizer.special)
      expect([other.bos, other.eos, other.addsBos]).toEqual([tokenizer.bos, tokenizer.eos, true])
      for (const text of [...Object.values(texts), "Ünseen: \u0000\ufffd 한국어 12345\r\n\t ё"]) {
        const ids = tokenizer.encode(text)
        expect(other.encode(text)).toEqual(ids)
        expect(other.decode(ids)).toBe(text)
        expect(ids.length).toBeLessThan(new TextEncoder().encode(text).length)
      }
    }
  })

test("special tokens are at the end, and text never becomes one", async () => {
  const tokenizer = await trained({ reserved: 2, size: 450 })
  expect(tokenizer.size).toBe(450)
  expect([...tokenizer.special]).toEqual([
    ["<|begin_of_text|>", 440],
    ["<|end_of_text|>", 441],
    ["<|finetune_right_pad_id|>", 442],
    ["<|start_header_id|>", 443],
    ["<|end_header_id|>", 444],
    ["<|eom_id|>", 445],
    ["<|eot_id|>", 446],
    ["<|python_tag|>", 447],
    ["<|reserved_special_token_0|>", 448],
    ["<|reserved_special_token_1|>", 449],
  ])
  expect(Math.max(...tokenizer.encode("<|eot_id|>"))).toBeLessThan(440)
  expect(tokenizer.encode("<|eot_id|>", { special: true })).toEqual([446])
})

test("where marks join letters, words of Hindi and Thai become tokens; else they cannot", async () => {
  for (const [preTokenizer, joined] of [
    ["marks", true],
    ["llama3", false],
  ] as const) {
    const tokenizer = await trained({ preTokenizer, size: 900 })
    for (const word of [" दुनिया", "สวัสดีครับ"]) expect(tokenizer.encode(word).length === 1, word).toBe(joined)
  }
})

test("the same texts give the same vocabulary", async () => {
  const [a, b] = [await trained({}), await trained({})]
  expect(exportTokenizerJson(a)).toEqual(exportTokenizerJson(b))
})

test("a larger share gives a group more of the tokens", async () => {
  const tokensOf = async (options: Partial<VocabularyOptions>) => {
    const trainer = new VocabularyTrainer({ size: 330, ...options })
    for (let i = 0; i < 100; i++) trainer.add(texts.en, "en")
    trainer.add(texts.hi.repeat(20), "hi")
    const tokenizer = await trainer.train()
    return tokenizer.encode(texts.hi).length
  }
  const [as, half, equal] = [
    await tokensOf({ balance: 1 }),
    await tokensOf({ balance: 0.5 }),
    await tokensOf({ balance: 0 }),
  ]
  expect(half).toBeLessThanOrEqual(as)
  expect(equal).toBeLessThanOrEqual(half)
  expect(equal).toBeLessThan(as)
  expect(await tokensOf({ balance: 1, shares: { hi: 50 } })).toBeLessThan(as)
})

test("few texts make few tokens, and the longest token is bounded", async () => {
  const few = await trained({ size: 5000 }, 1)
  expect(few.size).toBeLessThan(1000)
  const short = await trained({ mostTokenBytes: 3 })
  for (let id = 0; id < short.size; id++)
    if (!short.isSpecial(id)) expect(short.tokenBytes(id).length).toBeLessThanOrEqual(3)
})

test("beyond its bound a count forgets what is rare and keeps what is frequent", () => {
  const pieces = new PieceCounts(2 ** 12)
  const text = (i: number) => new TextEncoder().encode(`piece ${i}`)
  for (let i = 0; i < 20_000; i++) {
    pieces.add(text(i), 0, text(i).length)
    pieces.add(text(-1), 0, text(-1).length)
  }
  expect(pieces.bytes).toBeLessThanOrEqual(2 ** 12)
  const counts: [string, number][] = []
  pieces.forEach((bytes, start, end, count) =>
    counts.push([new TextDecoder().decode(bytes.slice(start, end)), count]),
  )
  expect(counts.find(([name]) => name === "piece -1")?.[1]).toBe(20_000)
})

test("wrong options and no text are refused", async () => {
  expect(() => new VocabularyTrainer({ size: 263 })).toThrow(InvalidOptionError)
  expect(() => new VocabularyTrainer({ size: 1000.5 })).toThrow(InvalidOptionError)
  expect(() => new VocabularyTrainer({ size: 1000, balance: 2 })).toThrow("balance")
  expect(() => new VocabularyTrainer({ size: 1000, shares: { a: 0 } })).toThrow("share of a")
  expect(() => new VocabularyTrainer({ size: 1000, preTokenizer: "x" as never })).toThrow("preTokenizer")
  await expect(new VocabularyTrainer({ size: 1000 }).train()).rejects.toThrow("no text")
  await expect(trained({ shares: { nl: 2 } })).rejects.toThrow("the groups are en, de, hi, th, ja")
  const aborted = new VocabularyTrainer({ size: 60_000 })
  for (let i = 0; i < 60_000; i++) aborted.add(`${i.toString(36)} ${(i * 7919).toString(36)}`)
  await expect(aborted.train({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough")
})
