import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { memorySource } from "./byte-source.js"
import { fileSource } from "./file-source.js"
import { openPth } from "./pth.js"
import {
  concat,
  f32Bytes,
  pickle,
  pickledTensor,
  smallPth,
  torchParts,
  type TorchTensor,
  utf8,
  zipBytes,
  type ZipPart,
} from "./samples-fixture.js"

const open = (bytes: Uint8Array) => openPth(memorySource(bytes, "test.pth"))
const archive = (program: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}) =>
  open(zipBytes(torchParts(program, storages)))
const withTensor = (tensor: Partial<TorchTensor>, bytes = f32Bytes(1, 2, 3, 4)) =>
  archive(
    pickle.program(
      pickle.dict(
        pickledTensor({ name: "w", storage: "FloatStorage", key: "0", count: 4, shape: [4], ...tensor }),
      ),
    ),
    { "0": bytes },
  )

test.each([false, true])("a state dict is read, zip64: %s", async (zip64) => {
  const file = await open(smallPth(zip64))
  expect(
    [...file.tensors.values()].map(({ name, shape, encoding, byteLength }) => [
      name,
      shape,
      encoding,
      byteLength,
    ]),
  ).toEqual([
    ["a.weight", [2, 3], "f32", 24],
    ["b.weight", [3], "bf16", 6],
    ["tied", [1, 3], "f32", 12],
  ])
  const a = new Float32Array(6)
  await file.read("a.weight", 0, new Uint8Array(a.buffer))
  expect([...a]).toEqual([1, 2, 3, 4, 5, 6])
  const tied = new Float32Array(2)
  await file.read("tied", 4, new Uint8Array(tied.buffer))
  expect([...tied]).toEqual([5, 6])
  const b = new Uint8Array(6)
  await file.read("b.weight", 0, b)
  expect([...b]).toEqual([0x80, 0x3f, 0, 0x40, 0x40, 0x40])
})

test("an OrderedDict with module state, parameters, and protocol 4 are read", async () => {
  const tensor = pickledTensor({ name: "w", storage: "HalfStorage", key: "0", count: 2, shape: [2, 1] })
  const name = pickle.text("w")
  const parameter = concat(
    name,
    pickle.call(
      pickle.global("torch._utils", "_rebuild_parameter"),
      tensor.subarray(name.length),
      pickle.no,
      pickle.none,
    ),
  )
  const state = concat(
    pickle.orderedDict(parameter),
    pickle.dict(pickle.text("_metadata"), pickle.dict()),
    [0x62],
  )
  const file = await archive(pickle.program(state), { "0": new Uint8Array(4) })
  expect(file.tensors.get("w")).toMatchObject({ shape: [2, 1], encoding: "f16" })

  const short = (text: string) => concat([0x8c, text.length], utf8(text))
  const untyped = pickle.tuple(
    pickle.text("storage"),
    concat(short("torch.storage"), short("UntypedStorage"), [0x93]),
    pickle.text("0"),
    pickle.text("cpu"),
    pickle.int(8),
  )
  const rebuilt = pickle.call(
    concat(short("torch._utils"), short("_rebuild_tensor_v3"), [0x93]),
    pickle.persistent(untyped),
    pickle.int(0),
    pickle.tuple(pickle.int(4)),
    pickle.tuple(pickle.int(1)),
    pickle.no,
    pickle.none,
    pickle.global("torch", "bfloat16"),
  )
  const program = concat(
    [0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0],
    pickle.dict(pickle.text("v"), rebuilt),
    [0x94, 0x2e],
  )
  const second = await archive(program, { "0": new Uint8Array(8) })
  expect(second.tensors.get("v")).toMatchObject({ shape: [4], encoding: "bf16", byteLength: 8 })
})

test("what CPython's own pickler writes is read (test/goldens/torch-archive)", async () => {
  const path = new URL("../../test/goldens/torch-archive/small.pth", import.meta.url)
  const file = await openPth(await fileSource(fileURLToPath(path)))
  const last = async (name: string, width: number) => {
    const bytes = new Uint8Array(width)
    await file.read(name, file.tensors.get(name)!.byteLength - width, bytes)
    return new DataView(bytes.buffer)
  }
  expect([...file.tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
    ["tok_embeddings.weight", [7, 100]],
    ["layers.0.attention.wq.weight", [10, 100]],
    ["norm.weight", [4]],
  ])
  expect((await last("tok_embeddings.weight", 4)).getFloat32(0, true)).toBe(1.5)
  expect((await last("layers.0.attention.wq.weight", 4)).getFloat32(0, true)).toBe(-2.5)
  expect((await last("norm.weight", 2)).getUint16(0, true)).toBe(0xc000)
  await file.close()
})

test("code is refused by name and never runs", async () => {
  const attack = (module: string, name: string) =>
    archive(pickle.program(pickle.call(pickle.global(module, name), pickle.text("touch /tmp/owned"))))
  await expect(attack("os", "system")).rejects.toThrow(/Python object os\.system/)
  await expect(attack("posix", "system")).rejects.toThrow(UnsupportedError)
  await expect(attack("builtins", "eval")).rejects.toThrow(/builtins\.eval/)
  await expect(attack("torch", "load")).rejects.toThrow(/torch\.load/)
  await expect(attack("torch", "constructor")).rejects.toThrow(/torch\.constructor/)
  await expect(attack("torch.storage", "__proto__")).rejects.toThrow(UnsupportedError)
  // INST, OBJ and NEWOBJ build objects without REDUCE.
  for (const code of [0x69, 0x6f, 0x81])
    await expect(archive(pickle.program(new Uint8Array([0x28, code])))).rejects.toThrow(/opcode/)
})

test("tensors that do not fit their storage, or are not contiguous, are refused", async () => {
  await expect(withTensor({ offset: 1 })).rejects.toThrow(/beyond the 16 bytes/)
  await expect(withTensor({ offset: -1 })).rejects.toThrow(InvalidFileError)
  await expect(withTensor({ shape: [5] })).rejects.toThrow(/beyond/)
  await expect(withTensor({ shape: [-4] })).rejects.toThrow(/impossible dimension/)
  await expect(withTensor({ shape: Array(9).fill(2 ** 30) })).rejects.toThrow(/more values/)
  await expect(withTensor({ shape: [2, 2], strides: [1, 2] })).rejects.toThrow(/not contiguous/)
  await expect(withTensor({ shape: [4], strides: [0] })).rejects.toThrow(/not contiguous/)
  await expect(withTensor({ count: 5 })).rejects.toThrow(/storage 0 of 20 bytes, which has 16/)
  await expect(withTensor({ key: "9" })).rejects.toThrow(/not in the archive/)
  await expect(withTensor({ key: "../../etc/passwd" })).rejects.toThrow(/not in the archive/)
  await expect(withTensor({ storage: "ComplexFloatStorage" })).rejects.toThrow(/torch\.ComplexFloatStorage/)
})

test("archives that torch.save does not write are refused", async () => {
  const parts = torchParts(pickle.program(pickle.dict()), {})
  const changed = (change: Partial<ZipPart>) => open(zipBytes(parts.map((part) => ({ ...part, ...change }))))
  await expect(changed({ method: 8 })).rejects.toThrow(/compressed or encrypted/)
  await expect(changed({ flags: 1 })).rejects.toThrow(/compressed or encrypted/)
  await expect(changed({ name: "same" })).rejects.toThrow(/there twice/)
  await expect(open(zipBytes([...parts, { name: "x/data.pkl", bytes: new Uint8Array() }]))).rejects.toThrow(
    /2 entries/,
  )
  await expect(open(zipBytes([]))).rejects.toThrow(InvalidFileError)
  await expect(open(zipBytes(parts.slice(2)))).rejects.toThrow(/0 entries data\.pkl/)
  await expect(
    open(zipBytes([...parts.slice(0, 1), { name: "consolidated/byteorder", bytes: utf8("big") }])),
  ).rejects.toThrow(/big-endian/)
  await expect(open(pickle.program(pickle.dict()))).rejects.toThrow(/before 1\.6/)
  await expect(open(utf8("<html>not found</html>"))).rejects.toThrow(/does not start as a ZIP/)
  await expect(archive(pickle.program(pickle.int(1)))).rejects.toThrow(/dict of tensors/)
  await expect(archive(pickle.program(pickle.dict(pickle.text("step"), pickle.int(1))))).rejects.toThrow(
    /\(step\)/,
  )
  await expect(
    archive(pickle.program(pickle.dict(pickle.int(1), pickle.int(1), pickle.int(1), pickle.int(2)))),
  ).rejects.toThrow(/twice/)
})

test("an archive cut anywhere is refused", async () => {
  const whole = smallPth()
  for (let length = 0; length < whole.length; length += 7)
    await expect(open(whole.subarray(0, length))).rejects.toThrow(InvalidFileError)
})

test("pickles that would grow without end are refused", async () => {
  const started = performance.now()
  await expect(archive(new Uint8Array(2 ** 22).fill(0x5d))).rejects.toThrow(/more than \d+ pickle operations/)
  await expect(archive(concat([0x80, 2, 0x8a, 255], new Uint8Array(300)))).rejects.toThrow(
    /integer has 255 bytes/,
  )
  await expect(archive(concat([0x80, 2, 0x58], [255, 255, 255, 255]))).rejects.toThrow(/ends in the middle/)
  expect(performance.now() - started).toBeLessThan(1500)
})
