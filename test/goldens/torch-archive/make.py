"""Makes small.pth: an archive as torch.save lays it out, pickled by CPython itself (protocol 2), without torch.

Stand-ins for torch's classes carry its module names, so the pickle names the same globals in the same order:
an OrderedDict of tensors with the `_metadata` that Module.state_dict() attaches, persistent ids for storages.
"""
import collections, io, pickle, struct, sys, types, zipfile

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})


def _rebuild_tensor_v2(*args):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
_rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2
for name in ["FloatStorage", "BFloat16Storage"]:
    setattr(torch, name, type(name, (), {"__module__": "torch"}))


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", getattr(torch, kind), key, "cpu", count)


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.args = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce_ex__(self, protocol):
        return (_rebuild_tensor_v2, self.args)


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        return thing.id if isinstance(thing, Storage) else None


f32, bf16 = Storage("FloatStorage", "0", 1700), Storage("BFloat16Storage", "1", 6)
state = collections.OrderedDict()
state["tok_embeddings.weight"] = Tensor(f32, 0, (7, 100), (100, 1))
state["layers.0.attention.wq.weight"] = Tensor(f32, 700, (10, 100), (100, 1))
state["norm.weight"] = Tensor(bf16, 2, (4,), (1,))
state._metadata = collections.OrderedDict([("", {"version": 1})])

data = io.BytesIO()
Pickler(data, protocol=2).dump(state)
with zipfile.ZipFile("small.pth", "w", zipfile.ZIP_STORED) as archive:
    archive.writestr("small/data.pkl", data.getvalue())
    archive.writestr("small/byteorder", "little")
    # Zeros but for the values that the test looks at.
    values = [0.0] * 1700
    values[699], values[1699] = 1.5, -2.5
    archive.writestr("small/data/0", struct.pack("<1700f", *values))
    archive.writestr("small/data/1", struct.pack("<6H", 0, 0, 0x3F80, 0x4000, 0x4040, 0xC000))
    archive.writestr("small/version", "3\n")
    archive.writestr("small/.data/serialization_id", "0" * 40)
