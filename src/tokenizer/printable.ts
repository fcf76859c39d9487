// GPT-2's printable alphabet, in which tokenizer.json and GGUF write tokens: bytes that print stand for themselves,
// the others for U+0100 and up in order.

/** Character of each byte. */
export const printable: readonly string[] = (() => {
  let others = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
    return String.fromCharCode(prints ? byte : 256 + others++)
  })
})()

/** Byte of each character code below 512; -1 outside the alphabet. */
export const byteOfCode = new Int16Array(512).fill(-1)
printable.forEach((character, byte) => (byteOfCode[character.charCodeAt(0)] = byte))
