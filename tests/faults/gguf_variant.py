"""A copy of a GGUF file with other metadata, and with vectors of its own: models that nobody ships but every loader must read."""
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from gguf_reader import Gguf
from make_model import F32, STRING, U32, entry, text

__all__ = ["F32", "STRING", "U32", "write_variant"]
HEADER = 24  # magic, version, two counts
ALIGNMENT = 32


def raw_metadata(file):
    """key -> its bytes: name, type and value."""
    file.at = HEADER
    entries = {}
    for _ in range(len(file.metadata)):
        first = file.at
        key = file.string()
        file.value(file.number("<u4"))
        entries[key] = file.bytes[first : file.at].tobytes()
    return entries


def describe(name, shape, kind, offset):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def write_variant(source, target, metadata, vectors={}):
    """metadata: key -> (type, value), type one of U32, F32, STRING; vectors: name -> F32 values."""
    file = Gguf(source)
    if file.metadata.get("general.alignment", ALIGNMENT) != ALIGNMENT:
        raise ValueError(f"{source}: tensors are aligned to another size than {ALIGNMENT}")
    entries = raw_metadata(file)
    for key, (kind, value) in metadata.items():
        entries[key] = entry(key, kind, value)
    data = file.bytes[file.data :].tobytes()
    tensors = [describe(name, *rest) for name, rest in file.tensors.items()]
    for name, values in vectors.items():
        data += bytes(-len(data) % ALIGNMENT)
        tensors.append(describe(name, [len(values)], 0, len(data)))
        data += np.asarray(values, "<f4").tobytes()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries.values()) + b"".join(tensors)
    with open(target, "wb") as out:
        out.write(head + bytes(-len(head) % ALIGNMENT) + data)
